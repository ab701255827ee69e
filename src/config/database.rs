//! Which database to open: argument, context, environment, configuration, else the private one.

use std::env;

use sqlx::postgres::PgConnectOptions;

use super::{Error, Settings};

/// What the command line says about the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    pub url: Option<String>,
    pub context: Option<String>,
}

/// A database to open, and its name.
#[derive(Debug, Clone)]
pub struct Context {
    pub name: String,
    pub production: bool,
    pub target: Target,
}

/// Where it is.
#[derive(Debug, Clone)]
pub enum Target {
    Server(Box<Server>),
    /// Orderscope's own private PostgreSQL.
    Embedded,
}

/// A server, possibly behind a pooler.
#[derive(Debug, Clone)]
pub struct Server {
    pub options: PgConnectOptions,
    /// The address that bypasses the pooler.
    pub direct: Option<PgConnectOptions>,
    /// A pooler in transaction mode is known to be in between; otherwise the first session finds out.
    pub pooled: bool,
}

impl From<PgConnectOptions> for Target {
    fn from(options: PgConnectOptions) -> Self {
        Self::Server(Box::new(Server { options, direct: None, pooled: false }))
    }
}

/// libpq's variables that name a server or a database. (Those that only carry a password or a user
/// do not name a database by themselves.)
const NAMING: [&str; 5] = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"];

/// Chooses by precedence: `--database-url`, `--context`, `DATABASE_URL`, `PG*`, the configured default,
/// and finally the private database.
///
/// # Errors
/// When the chosen setting is invalid.
pub fn choose(given: &Given, settings: &Settings) -> Result<Context, Error> {
    if let Some(url) = &given.url {
        if has_password(url) {
            return Err(Error::PasswordInArguments);
        }
        return server("database", "--database-url", url);
    }
    if let Some(name) = &given.context {
        return named(name, settings);
    }
    if let Ok(url) = env::var("DATABASE_URL")
        && !url.is_empty()
    {
        return server("database", "DATABASE_URL", &url);
    }
    if NAMING.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        let target = PgConnectOptions::new().into();
        return Ok(Context { name: "database".to_owned(), production: false, target });
    }
    match &settings.file.default {
        Some(name) => named(name, settings),
        None => {
            Ok(Context { name: "local".to_owned(), production: false, target: Target::Embedded })
        }
    }
}

fn named(name: &str, settings: &Settings) -> Result<Context, Error> {
    let contexts = &settings.file.contexts;
    match contexts.get(name) {
        Some(context) => {
            let server = Server {
                options: match &context.url {
                    Some(url) => address("url", url)?,
                    None => PgConnectOptions::new(),
                },
                direct: context.direct.as_deref().map(|url| address("direct", url)).transpose()?,
                pooled: context.pgbouncer,
            };
            let target = Target::Server(Box::new(server));
            Ok(Context { name: name.to_owned(), production: context.production, target })
        }
        None if name == "local" => {
            Ok(Context { name: "local".to_owned(), production: false, target: Target::Embedded })
        }
        None => Err(Error::NoContext {
            name: name.to_owned(),
            path: settings.path.display().to_string(),
            known: contexts
                .keys()
                .map(String::as_str)
                .chain(["local"])
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

fn server(name: &str, what: &'static str, url: &str) -> Result<Context, Error> {
    let target = address(what, url)?.into();
    Ok(Context { name: name.to_owned(), production: false, target })
}

fn address(what: &'static str, url: &str) -> Result<PgConnectOptions, Error> {
    url.parse().map_err(|error: sqlx::Error| Error::Value {
        what,
        value: without_password(url),
        why: format!("{error}; it is written postgres://USER@HOST:PORT/DATABASE"),
    })
}

/// Whether a URL contains `user:password@` or `?password=`.
pub(super) fn has_password(url: &str) -> bool {
    without_password(url) != url
}

/// The URL with any password masked, for messages.
fn without_password(url: &str) -> String {
    let (base, query) =
        url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let mut out = match base.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) =
                rest.split_once('/').map_or((rest, None), |(a, path)| (a, Some(path)));
            let authority = match authority.rsplit_once('@') {
                Some((login, host)) => match login.split_once(':') {
                    Some((user, _)) => format!("{user}:•••@{host}"),
                    None => authority.to_owned(),
                },
                None => authority.to_owned(),
            };
            let path = path.map_or_else(String::new, |path| format!("/{path}"));
            format!("{scheme}://{authority}{path}")
        }
        None => base.to_owned(),
    };
    if let Some(query) = query {
        let masked = query.split('&').map(|pair| match pair.split_once('=') {
            Some(("password", _)) => "password=•••".to_owned(),
            _ => pair.to_owned(),
        });
        out.push('?');
        out.push_str(&masked.collect::<Vec<_>>().join("&"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_and_masked() {
        assert!(!has_password("postgres://mai@db:5432/ordering?sslmode=require"));
        assert!(has_password("postgres://mai:s3cret@db/ordering"));
        assert!(has_password("postgres:///ordering?host=/tmp&password=s3cret"));
        assert_eq!(
            without_password("postgres://mai:s3@cret@db/x?password=a&user=b"),
            "postgres://mai:•••@db/x?password=•••&user=b"
        );
    }
}
