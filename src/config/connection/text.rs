//! A connection URL or string as somebody wrote it. It may hold a password, also where it is malformed: nothing
//! of it is ever printed.

use std::fmt;

use serde::Deserialize;

/// A database as it is named in a file, a variable or an argument.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ConnectionString(String);

impl ConnectionString {
    pub(in crate::config) fn text(&self) -> &str {
        &self.0
    }

    /// Whether a password stands in it, in whatever form.
    #[must_use]
    pub fn has_password(&self) -> bool {
        has_password(&self.0)
    }
}

impl From<String> for ConnectionString {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ConnectionString {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Names after which a secret follows, lower case and without what separates their words.
const SECRETS: [&str; 8] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "sslpassword",
    "oauthclientsecret",
    "scramclientkey",
    "scramserverkey",
];

/// Whether a password may stand in a text: `user:password@`, or `password=` in a URL, a connection string, or what
/// other drivers write (`Password=`, `Pwd =`).
#[must_use]
pub fn has_password(text: &str) -> bool {
    if let Some((_, rest)) = text.split_once("://") {
        // The password may hold slashes and further at signs.
        let user = rest.rfind('@').map_or("", |at| &rest[..at]);
        if user.split_once(':').is_some_and(|(_, password)| !password.is_empty()) {
            return true;
        }
    }
    let text = decoded(text);
    text.match_indices('=').any(|(at, _)| {
        let name: String = text[..at]
            .trim_end()
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '))
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        let name: String = name.chars().rev().collect();
        // Whatever follows counts: a password may begin with any sign.
        let value = text[at + 1..].trim_start().trim_start_matches(['\'', '"']);
        !value.is_empty() && SECRETS.iter().any(|secret| name.ends_with(secret))
    })
}

/// A message with what was typed in it, without the words in which a password may stand.
#[must_use]
pub fn without_passwords(message: &str) -> String {
    let covered = |word: &str| {
        let blank = &word[word.trim_end().len()..];
        if has_password(word) { format!("…{blank}") } else { word.to_owned() }
    };
    message.split_inclusive(char::is_whitespace).map(covered).collect()
}

/// Whether a text may name a database, well or badly written, so that a password may stand in it.
#[must_use]
pub fn is_address_like(text: &str) -> bool {
    let lower = text.to_lowercase();
    has_password(text) || ["@", "://", "host=", "server=", "pass"].iter().any(|p| lower.contains(p))
}

/// With every `%XX` of ASCII in its plain form.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = rest.split_at(at);
        out.push_str(before);
        let code = escaped.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                out.push(char::from(code));
                rest = &escaped[3..];
            }
            None => {
                out.push('%');
                rest = &escaped[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_seen_in_every_form() {
        for text in [
            "postgres://mai:s3cret@db/ordering",
            "postgres://mai:s3/cr@et@db/ordering",
            "postgres:///ordering?host=/tmp&password=s3cret",
            "postgres:///ordering?p%61ssword=s3cret",
            "postgres://db/x?sslpassword=s3cret",
            "host=db password=s3cret",
            "host=db password = 's3cret'",
            "Host=db;Password=s3cret;Database=x",
            "Server=db;Pwd=s3cret",
            "jdbc:postgresql://db/x?user=mai&PASSWORD=s3cret",
            "jdbc:postgresql://mai:s3cret@db/x",
            "oauth_client_secret=s3cret",
            "user=mai;password==s3cret",
            "user=mai;password=&s3cret",
            "user=mai;password=;s3cret",
        ] {
            assert!(has_password(text), "{text}");
        }
        for text in [
            "postgres://mai@db:5432/ordering?sslmode=require",
            "postgres://[::1]:5432/ordering",
            "postgres://db1:1,db2:2/ordering?user=mai%40corp",
            "host=db passfile=/home/mai/.pgpass",
            "host=db password=",
        ] {
            assert!(!has_password(text), "{text}");
        }
    }

    #[test]
    fn it_is_not_printed() {
        let text = ConnectionString::from("postgres://mai:s3cret@db/ordering");
        assert_eq!(format!("{text:?}"), "…");
    }
}
