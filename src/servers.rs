//! Where a database is: one server or several of which one is wanted, how to log in there, and in which schemas the
//! service's tables are. Nothing that is printed of it holds a password.

use std::{fmt, time::Duration};

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

/// Which of several servers is wanted (libpq's `target_session_attrs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby, or any server where there is none.
    PreferStandby,
}

impl Wanted {
    /// Every value as it is written.
    pub const ALL: [(&str, Self); 6] = [
        ("any", Self::Any),
        ("read-write", Self::ReadWrite),
        ("read-only", Self::ReadOnly),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("prefer-standby", Self::PreferStandby),
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, wanted)| *wanted == self).map_or("any", |(word, _)| word)
    }
}

/// The schemas of the service's tables, where the database has several tables of the same names. A group without a name
/// is looked for in all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schemas {
    /// Of `orders`, `order_items` and `buyers`.
    pub orders: Option<String>,
    /// Of Marten's tables (`mt_events`).
    pub events: Option<String>,
    /// Of MassTransit's outbox and inbox.
    pub messages: Option<String>,
}

/// The servers that may hold one database, in the order in which they are tried.
#[derive(Clone)]
pub struct Servers {
    hosts: Vec<PgConnectOptions>,
    pub wanted: Wanted,
    /// The longest wait for each of them, where it was given.
    pub timeout: Option<Duration>,
    /// They are tried in a random order.
    pub random: bool,
    /// What to add to a refused login: a pass file that was ignored.
    pub login_hint: Option<String>,
    /// What to add to a failure of TLS.
    pub tls_hint: Option<String>,
    pub schemas: Schemas,
    /// The tenant that alone is looked at, in a store of several.
    pub tenant: Option<String>,
}

impl Servers {
    /// One server, and the others after it.
    pub fn new(first: PgConnectOptions, others: Vec<PgConnectOptions>) -> Self {
        let mut hosts = vec![first];
        hosts.extend(others);
        Self {
            hosts,
            wanted: Wanted::Any,
            timeout: None,
            random: false,
            login_hint: None,
            tls_hint: None,
            schemas: Schemas::default(),
            tenant: None,
        }
    }

    /// All of them; there is one at least.
    pub fn hosts(&self) -> &[PgConnectOptions] {
        &self.hosts
    }

    /// The same servers with options changed.
    #[must_use]
    pub fn map(mut self, change: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        self.hosts = self.hosts.into_iter().map(change).collect();
        self
    }

    /// The same servers, beginning with another one.
    #[must_use]
    pub fn starting_at(mut self, first: usize) -> Self {
        let by = first % self.hosts.len().max(1);
        self.hosts.rotate_left(by);
        self
    }

    /// `host:port,host:port/database`, without user or password, for messages.
    pub fn place(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(host).collect();
        let database = self.hosts.first().map_or("", database);
        format!("{}/{database}", hosts.join(","))
    }
}

/// `host:port`, or the directory of a socket.
pub fn host(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None if options.get_host().starts_with('/') => options.get_host().to_owned(),
        None if options.get_host().contains(':') => {
            format!("[{}]:{}", options.get_host(), options.get_port())
        }
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

fn database(options: &PgConnectOptions) -> &str {
    options.get_database().unwrap_or_else(|| options.get_username())
}

impl From<PgConnectOptions> for Servers {
    fn from(options: PgConnectOptions) -> Self {
        Self::new(options, Vec::new())
    }
}

impl From<&PgConnectOptions> for Servers {
    fn from(options: &PgConnectOptions) -> Self {
        options.clone().into()
    }
}

impl From<&Servers> for Servers {
    fn from(servers: &Servers) -> Self {
        servers.clone()
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({}, {})", self.place(), self.wanted.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let one = PgConnectOptions::new_without_pgpass()
            .host("db1")
            .port(5433)
            .database("ordering")
            .password("s3cret");
        let servers = Servers::new(one.clone(), vec![one.host("::1")]);
        assert_eq!(format!("{servers:?}"), "Servers(db1:5433,[::1]:5433/ordering, any)");
    }
}
