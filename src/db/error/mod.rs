//! What can go wrong with a database, in words an operator can act on.

mod driver;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(in crate::db) use driver::OfTable;

/// Why the database gave no answer. `Clone`, because screens keep it beside the data it spoilt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing answers at the address.
    #[error(
        "cannot reach PostgreSQL at {place}: {why}; check that it runs and that the address is right"
    )]
    Unreachable { place: String, why: String },
    /// The server does not let this user in.
    #[error(
        "PostgreSQL refused the login: {0}; check the user and the password (PGPASSWORD or a pass file)"
    )]
    Login(String),
    /// The server has no such database.
    #[error("{0}; list what the server has with `psql -l`, or create it first")]
    NoDatabase(String),
    /// The server is full, starting or stopping.
    #[error("PostgreSQL takes no new sessions now: {0}; try again in a moment")]
    Busy(String),
    /// What needs a session of its own was asked through a pooler.
    #[error(
        "{0} is a pooler, which gives every transaction another session; writing, migrating and stopping \
         statements need the server itself: name it as `direct` of a context in the configuration"
    )]
    Pooled(String),
    /// What was named as the way past a pooler is one as well.
    #[error("{0} is named as the direct address and is a pooler as well; name the server itself")]
    PooledToo(String),
    /// A pooler does not pass on what `options` or `PGOPTIONS` says.
    #[error(
        "{0} is a pooler that takes no settings for sessions; unset PGOPTIONS, or leave options out"
    )]
    SettingsRefused(String),
    /// What writes was asked of a server that only follows another one.
    #[error("{0} is a hot standby, which can only be read; to write, name the primary server")]
    Standby(String),
    /// The driver cannot use what names the server.
    #[error(
        "the connection's settings cannot be used: {0}; check the URL, the PG* variables and the configuration"
    )]
    Configuration(String),
    /// TLS failed, or the server has none.
    #[error("no secure connection: {0}; check sslmode and the certificates")]
    Tls(String),
    /// A right is missing.
    #[error("not permitted: {0}; ask for SELECT on the service's tables for this login")]
    NotPermitted(String),
    /// Our statement timeout ended it.
    #[error("no answer within {}; the server was told to stop, narrow the question", human(.0))]
    TimedOut(Duration),
    /// Nothing came over an open connection for longer than the server may take.
    #[error(
        "no answer from PostgreSQL within {}, although the connection stands; look at the network, the proxy or the \
         pooler in between, then repeat",
        human(.0)
    )]
    Stalled(Duration),
    /// The server, or its administrator, allows no changes at present.
    #[error("PostgreSQL is read-only: {0}; ask who runs it, its disk may be full")]
    ReadOnly(String),
    /// All sessions are taken.
    #[error("all {0} sessions of the console are busy; wait for a search to end, or cancel one")]
    Exhausted(usize),
    /// A read that has to be recorded could not be.
    #[error("nothing is searched by name without a record: {0}")]
    Unrecorded(String),
    /// The operator, or a newer request, stopped it.
    #[error("cancelled")]
    Cancelled,
    /// Someone else changed what this change relied on.
    #[error("someone else changed it first: {0}; look again, then repeat")]
    Conflict(String),
    /// A unique index has such a row already.
    #[error("there is one already: {message}; look again, then repeat")]
    Duplicate { table: String, columns: String, message: String },
    /// The server undid it because of others' work at the same time; the same may succeed now.
    #[error("undone because of others' work at the same time: {0}; try again")]
    Again(String),
    /// Another session holds a lock for too long.
    #[error("another session holds a lock on it: {0}; try again, or look at who holds it")]
    Locked(String),
    /// A table or column that this needs is not there.
    #[error("{0}; this is not a database of the Ordering Service, or its schema is incomplete")]
    MissingTable(String),
    /// The table is there under another name, which reading knows and delivering does not.
    #[error(
        "{wanted} is spelt {found} here, and only the first is delivered from: leave delivery to the service; \
         looking and commands work with both"
    )]
    Spelt { wanted: String, found: String },
    /// Several schemas have the same tables of a service.
    #[error(
        "several schemas have tables for {key}: {schemas}; say which one is meant in the context, for example \
         schemas.{key} = \"{first}\""
    )]
    Ambiguous { key: &'static str, schemas: String, first: String },
    /// Events of one order id belong to several tenants: they are no one history.
    #[error(
        "order {order} has events in several tenants ({tenants}), which are different orders; name one in the context, \
         for example tenant = \"{first}\""
    )]
    Tenants { order: String, tenants: String, first: String },
    /// Disk, memory or another resource of the server ran out.
    #[error(
        "PostgreSQL is short of a resource: {0}; free disk or memory on the server, then repeat"
    )]
    NoRoom(String),
    /// Any other complaint of the server.
    #[error("PostgreSQL answered: {message} ({code}); if it persists, report it with this code")]
    Server { code: String, message: String },
    /// A value that cannot be right, or is of another type than this program knows. Table, column and key as far as
    /// they are known.
    #[error(
        "{} cannot be read: {why}; look at it with psql, the schema may be another version's",
        unreadable(*.table, .column.as_deref(), .key.as_deref())
    )]
    Inconsistent {
        table: Option<&'static str>,
        column: Option<String>,
        /// Of the row.
        key: Option<String>,
        why: String,
    },
    /// A row that is always there is not.
    #[error("a row that has to be {} is missing; look at the table with psql, then repeat", there(*.0))]
    MissingRow(Option<&'static str>),
    /// The connection broke in the middle of something. What was not committed is undone.
    #[error("lost the connection to PostgreSQL: {0}; it is opened again at the next request")]
    Lost(String),
    /// Reading or writing failed in another way than by a broken connection.
    #[error(
        "cannot read or write on this machine: {0}; check files, memory and the network, then repeat"
    )]
    Io(String),
    /// What came over the connection is not what PostgreSQL says at this point.
    #[error(
        "the answer is not PostgreSQL's protocol: {0}; check that the address is a PostgreSQL server, and the pooler \
         or proxy in between"
    )]
    Protocol(String),
    /// The driver's own task is gone.
    #[error("the database driver stopped working; repeat, and report it if it persists")]
    WorkerCrashed,
    /// A pool of the driver gave no session in time.
    #[error("no session became free in time; wait for what runs to end, then repeat")]
    PoolTimedOut,
    /// A pool of the driver was closed.
    #[error("the sessions with the database were closed already; start again")]
    PoolClosed,
    /// A step of the schema failed.
    #[error("a step of the schema failed: {0}; run `orderscope migrate` and read what it says")]
    Migration(String),
    /// The program uses the driver wrongly.
    #[error("a defect of this program: {0}; report it, with what you did")]
    Defect(String),
}

impl Error {
    /// Whether nothing was written and the same may succeed at once: the server undid it, or the connection broke
    /// before the commit was sent. Whoever did send one asks [`Error::ends_session`] instead.
    pub const fn is_safe_again(&self) -> bool {
        matches!(self, Self::Again(_) | Self::Lost(_))
    }

    /// Whether trying again later may help without anyone doing anything. An answer that cannot be read stays as it is.
    pub const fn can_pass(&self) -> bool {
        !matches!(
            self,
            Self::NotPermitted(_)
                | Self::MissingTable(_)
                | Self::Spelt { .. }
                | Self::Ambiguous { .. }
                | Self::Tenants { .. }
                | Self::Login(_)
                | Self::Configuration(_)
                | Self::Inconsistent { .. }
                | Self::MissingRow(_)
                | Self::Migration(_)
                | Self::Defect(_)
        )
    }

    /// Whether the session cannot be used any more. An answer to COMMIT that does this leaves open whether it
    /// was committed; all others say that it was not.
    pub const fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::Stalled(_)
                | Self::Io(_)
                | Self::Protocol(_)
                | Self::WorkerCrashed
                | Self::Tls(_)
                | Self::Unreachable { .. }
                | Self::Login(_)
                | Self::NoDatabase(_)
                | Self::Busy(_)
        )
    }

    /// Gives a timeout, whose length the server does not tell, the length it had.
    #[must_use]
    pub(crate) fn within(self, limit: Duration) -> Self {
        if self == Self::TimedOut(Duration::ZERO) { Self::TimedOut(limit) } else { self }
    }

    /// Names the row behind a value that cannot be right.
    #[must_use]
    pub(super) fn row(table: &'static str, column: &str, key: &str, why: &str) -> Self {
        Self::Inconsistent {
            table: Some(table),
            column: Some(column.to_owned()),
            key: Some(key.to_owned()),
            why: why.to_owned(),
        }
    }
}

fn unreadable(table: Option<&str>, column: Option<&str>, key: Option<&str>) -> String {
    let what = match (table, column) {
        (Some(table), Some(column)) => format!("{table}.{column}"),
        (Some(table), None) => format!("a value of {table}"),
        (None, Some(column)) => format!("{column} of a row"),
        (None, None) => "a value".to_owned(),
    };
    match key {
        Some(key) => format!("{what} of {key}"),
        None => what,
    }
}

fn there(table: Option<&str>) -> String {
    table.map_or_else(|| "there".to_owned(), |table| format!("in {table}"))
}

fn human(limit: &Duration) -> String {
    match limit.as_millis() {
        0 => "the time limit".to_owned(),
        ms if ms < 1_000 => format!("{ms} ms"),
        _ => format!("{} s", limit.as_secs_f32()),
    }
}
