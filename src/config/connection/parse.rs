//! URLs and `key=value` strings, read as libpq reads them; where libpq would guess, they are refused. Messages
//! repeat nothing of the text: what is malformed may be a password.

use super::parameters::{PARAMETERS, parameter};
use crate::domain::search::nearest;

/// Keywords with their values; of two with the same keyword the last one holds, as with libpq.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// How it is written, for messages.
pub(super) const FORM: &str =
    "it is written postgres://USER@HOST:PORT/DATABASE or host=HOST dbname=DATABASE";

/// Reads either form.
pub(super) fn parse(text: &str) -> Result<Pairs, String> {
    let text = text.trim();
    if let Some(rest) = ["postgresql://", "postgres://"].iter().find_map(|p| text.strip_prefix(p)) {
        return url(rest);
    }
    let lower = text.to_lowercase();
    if lower.starts_with("jdbc:") {
        return Err(format!("it is a JDBC URL; {FORM}"));
    }
    if text.contains("://") {
        return Err(format!("it does not begin with postgres://; {FORM}"));
    }
    if text.is_empty() || !text.contains('=') {
        return Err(format!("it is no URL and no string of key=value; {FORM}"));
    }
    let dotnet = ["host=", "server=", "data source="].iter().any(|start| lower.contains(start));
    keywords(text).map_err(|why| {
        if dotnet && text.contains(';') {
            return format!("it is a string of .NET's with semicolons; {FORM}");
        }
        why
    })
}

/// A keyword as the table has it.
pub(super) fn known(name: &str) -> Result<&'static str, String> {
    if let Some(row) = parameter(name) {
        return Ok(row.keyword);
    }
    let all = PARAMETERS.iter().map(|row| row.keyword).filter(|keyword| !keyword.is_empty());
    Err(match nearest(name, all) {
        Some(near) if !name.is_empty() => {
            format!("there is no such parameter; did you mean {near}?")
        }
        _ => "there is no such parameter; docs/configuration.md lists them".to_owned(),
    })
}

/// `key=value key = 'value with \' in it'`
fn keywords(text: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let nth = ordinal(pairs.len() + 1);
        let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.trim_start().strip_prefix('=') else {
            return Err(format!("its {nth} parameter has no = after its name; {FORM}"));
        };
        let (value, after) = value(after.trim_start())
            .ok_or_else(|| format!("the quote of its {nth} parameter is not closed"))?;
        if name == "ssl" {
            return Err(format!(
                "its {nth} parameter is known in URLs only; write sslmode=require"
            ));
        }
        let keyword = known(name).map_err(|why| format!("its {nth} parameter: {why}"))?;
        pairs.push((keyword, value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// A value and what stands after it; none if its quote is not closed.
fn value(text: &str) -> Option<(String, &str)> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Some((out, &text[at + 1..])),
            c if !quoted && c.is_ascii_whitespace() => return Some((out, &text[at..])),
            c => out.push(c),
        }
    }
    (!quoted).then_some((out, ""))
}

/// What follows `postgres://`.
fn url(rest: &str) -> Result<Pairs, String> {
    if rest.contains(char::is_whitespace) {
        return Err("a space stands in it; write %20".to_owned());
    }
    let mut pairs = Pairs::new();
    // libpq takes the first at sign if no slash is before it. Another one, or one further on, would make part of
    // a password a host or a database.
    let (login, rest) = match rest.split_once('@') {
        Some((login, rest)) if !login.contains('/') => (Some(login), rest),
        _ => (None, rest),
    };
    if rest.contains('@') {
        return Err(
            "an @ that does not end the login stands in it; write %40 for it, and %2F for a / in a password"
                .to_owned(),
        );
    }
    let wrong = |what: &str| format!("the escapes of its {what} are not %XX of UTF-8");
    if let Some(login) = login {
        let (user, password) = login.split_once(':').map_or((login, ""), |(u, p)| (u, p));
        for (keyword, part) in [("user", user), ("password", password)] {
            if !part.is_empty() {
                pairs.push((keyword, decode(part).ok_or_else(|| wrong(keyword))?));
            }
        }
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (hosts, ports) = authority_parts(authority)?;
    if hosts.iter().any(|host| !host.is_empty()) {
        pairs.push(("host", decode(&hosts.join(",")).ok_or_else(|| wrong("host"))?));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        pairs.push(("port", decode(&ports.join(",")).ok_or_else(|| wrong("port"))?));
    }
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, q)| (path, Some(q)));
    let database = path.strip_prefix('/').unwrap_or(path);
    if !database.is_empty() {
        pairs.push(("dbname", decode(database).ok_or_else(|| wrong("database"))?));
    }
    for (index, part) in
        query.filter(|q| !q.is_empty()).into_iter().flat_map(|q| q.split('&')).enumerate()
    {
        let nth = ordinal(index + 1);
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("its {nth} parameter has no = after its name"))?;
        if value.contains('=') {
            return Err(format!("its {nth} parameter has a second =; write %3D for it"));
        }
        let wrong = || format!("the escapes of its {nth} parameter are not %XX of UTF-8");
        let name = decode(name).ok_or_else(wrong)?;
        let value = decode(value).ok_or_else(wrong)?;
        let keyword = known(&name).map_err(|why| format!("its {nth} parameter: {why}"))?;
        pairs.push((keyword, value));
    }
    Ok(pairs)
}

/// Hosts and ports of `HOST:PORT,[ADDRESS]:PORT`.
fn authority_parts(authority: &str) -> Result<(Vec<&str>, Vec<&str>), String> {
    let (mut hosts, mut ports) = (vec![], vec![]);
    for place in authority.split(',') {
        let (host, port) = if let Some(inside) = place.strip_prefix('[') {
            let (address, after) = inside
                .split_once(']')
                .ok_or_else(|| "the [ before an address is not closed".to_owned())?;
            if address.is_empty() || !(after.is_empty() || after.starts_with(':')) {
                return Err("an address in [ ] is written [ADDRESS]:PORT".to_owned());
            }
            (address, after.strip_prefix(':').unwrap_or(""))
        } else {
            place.split_once(':').unwrap_or((place, ""))
        };
        if !port.bytes().all(|c| c.is_ascii_digit()) {
            return Err(
                "what stands after the : of a host is no port; an address with colons is written [ADDRESS]:PORT, and a / \
                 in a password %2F"
                    .to_owned(),
            );
        }
        hosts.push(host);
        ports.push(port);
    }
    Ok((hosts, ports))
}

/// Without its escapes; none if one is malformed, or the whole is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let code = u8::try_from(digit()? * 16 + digit()?).ok()?;
        out.push((code != 0).then_some(code)?);
    }
    String::from_utf8(out).ok()
}

fn ordinal(number: usize) -> String {
    let end = match (number % 10, number % 100) {
        (1, not) if not != 11 => "st",
        (2, not) if not != 12 => "nd",
        (3, not) if not != 13 => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&'static str, String)> {
        parse(text).unwrap()
    }

    fn pairs(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        pairs.iter().map(|(keyword, value)| (*keyword, (*value).to_owned())).collect()
    }

    #[test]
    fn urls_are_read_as_libpq_does() {
        assert_eq!(read("postgres://"), []);
        assert_eq!(read("postgresql:///ordering"), pairs(&[("dbname", "ordering")]));
        let whole = "postgres://mai%20b:p%40s%2Fs@db1:5433,[::1]:5434,db3/ordering?sslmode=require&options=-c%20a%3Db";
        assert_eq!(
            read(whole),
            pairs(&[
                ("user", "mai b"),
                ("password", "p@s/s"),
                ("host", "db1,::1,db3"),
                ("port", "5433,5434,"),
                ("dbname", "ordering"),
                ("sslmode", "require"),
                ("options", "-c a=b"),
            ])
        );
        assert_eq!(
            read("postgres://%2Frun%2Fpostgresql/x?host=a&host=b"),
            pairs(&[("host", "/run/postgresql"), ("dbname", "x"), ("host", "a"), ("host", "b")])
        );
        // A plus is a plus; a question mark may stand in a password.
        assert_eq!(read("postgres://u:a?b+c@h")[1], ("password", "a?b+c".to_owned()));
    }

    #[test]
    fn strings_are_read_as_libpq_does() {
        assert_eq!(
            read(r"host = db  password='a b\'c\\' dbname=x\ y user="),
            pairs(&[("host", "db"), ("password", r"a b'c\"), ("dbname", "x y"), ("user", "")])
        );
        for (text, told) in [
            ("host=db user", "2nd parameter has no ="),
            ("host='db", "1st parameter is not closed"),
            ("hots=db", "did you mean host?"),
            ("Host=h;Password=s3cret", ".NET"),
            ("jdbc:postgresql://h/x", "JDBC"),
            ("mysql://h/x", "postgres://"),
            ("nonsense", "postgres://USER@HOST"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(told) && !why.contains("s3cret"), "{text}: {why}");
        }
    }

    #[test]
    fn what_libpq_would_guess_is_refused() {
        for (text, told) in [
            ("postgres://u:s3@cret@h/x", "%40"),
            ("postgres://u:12/cret@h/x", "%2F"),
            ("postgres://u:s3/cret@h/x", "%2F"),
            ("postgres://u:s3cret/x", "no port"),
            ("postgres://::1/x", "[ADDRESS]"),
            ("postgres://[::1/x", "not closed"),
            ("postgres://[::1]x/x", "[ADDRESS]:PORT"),
            ("postgres://h/x?sslmod=verify-full", "did you mean sslmode?"),
            ("postgres://h/x?sslmode", "no ="),
            ("postgres://h/x?options=-c a=b", "space"),
            ("postgres://h/x?options=-ca=b", "%3D"),
            ("postgres://h/%zz", "escapes"),
            ("postgres://h/%00", "escapes"),
            ("postgres://h/%ff", "escapes"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(told) && !why.contains("s3"), "{text}: {why}");
        }
    }
}
