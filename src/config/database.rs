//! Which database to open: argument, context, environment, configuration, else the private one.

use super::{ConnectionString, Environment, Error, Settings, connection::resolve};
use crate::servers::Servers;

/// What the command line says about the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    pub url: Option<ConnectionString>,
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
    pub servers: Servers,
    /// Past the pooler.
    pub direct: Option<Servers>,
    /// A pooler in transaction mode is known to be in between; else that is found out.
    pub pooled: bool,
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
    let environment = &settings.environment;
    if let Some(url) = &given.url {
        if url.has_password() {
            return Err(Error::PasswordInArguments);
        }
        return server(Some(("--database-url", url)), environment);
    }
    if let Some(name) = &given.context {
        return named(name, settings);
    }
    if let Some(url) = environment.text("DATABASE_URL")? {
        return server(Some(("DATABASE_URL", &url.into())), environment);
    }
    for name in NAMING {
        if environment.text(name)?.is_some() {
            return server(None, environment);
        }
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
    let environment = &settings.environment;
    match contexts.get(name) {
        Some(context) => {
            let (url, direct) = (format!("contexts.{name}.url"), format!("contexts.{name}.direct"));
            let resolved = |text| {
                let mut servers = resolve(text, environment)?;
                servers.schemas = context.schemas.clone();
                servers.tenant.clone_from(&context.tenant);
                Ok::<Servers, Error>(servers)
            };
            let server = Server {
                servers: resolved(context.url.as_ref().map(|text| (&url[..], text)))?,
                direct: context
                    .direct
                    .as_ref()
                    .map(|text| resolved(Some((&direct, text))))
                    .transpose()?,
                pooled: context.pgbouncer,
            };
            let target = Target::Server(Box::new(server));
            Ok(Context { name: name.to_owned(), production: context.production, target })
        }
        None if name == "local" => {
            Ok(Context { name: "local".to_owned(), production: false, target: Target::Embedded })
        }
        None => Err(Error::NoContext {
            name: shown(name).to_owned(),
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

fn server(
    text: Option<(&str, &ConnectionString)>,
    environment: &Environment,
) -> Result<Context, Error> {
    let servers = resolve(text, environment)?;
    let target = Target::Server(Box::new(Server { servers, direct: None, pooled: false }));
    Ok(Context { name: "database".to_owned(), production: false, target })
}

/// A name as it may be printed: what is put where a name belongs may be a URL with a password.
fn shown(name: &str) -> &str {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.chars().all(plain) { name } else { "…" }
}
