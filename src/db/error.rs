//! What can go wrong with a database, in words an operator can act on.

use std::time::Duration;

use sqlx::{error::DatabaseError, postgres::PgDatabaseError};

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
    /// TLS failed, or the server has none.
    #[error("no secure connection: {0}; check sslmode and the certificates")]
    Tls(String),
    /// A right is missing.
    #[error("not permitted: {0}; ask for SELECT on the service's tables for this login")]
    NotPermitted(String),
    /// Our statement timeout ended it.
    #[error("no answer within {}; the server was told to stop, narrow the question", human(.0))]
    TimedOut(Duration),
    /// All sessions are taken.
    #[error("all {0} sessions of the console are busy; wait for a search to end, or cancel one")]
    Exhausted(usize),
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
    Spelt { wanted: &'static str, found: String },
    /// Several schemas have the same tables of a service.
    #[error(
        "several schemas have tables for {key}: {schemas}; say which one is meant in the context, for example \
         schemas.{key} = \"{first}\""
    )]
    Ambiguous { key: &'static str, schemas: String, first: String },
    /// Any other complaint of the server.
    #[error("PostgreSQL answered: {message} ({code}); if it persists, report it with this code")]
    Server { code: String, message: String },
    /// A row that cannot be right.
    #[error("{table}.{column} of {key} cannot be read: {why}; look at the row with psql")]
    Inconsistent { table: &'static str, column: String, key: String, why: String },
    /// The connection broke in the middle of something.
    #[error("lost the connection to PostgreSQL: {0}; it is opened again at the next request")]
    Lost(String),
}

impl Error {
    /// Whether trying the same again may help without anyone doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy(_) | Self::Lost(_) | Self::TimedOut(_))
    }

    /// Whether it was our own limit or the operator that stopped the statement.
    pub const fn is_stopped(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Cancelled)
    }

    /// An error of opening a session: what would be a lost connection later is no connection yet.
    pub(super) fn connecting(error: sqlx::Error, place: &str) -> Self {
        // rustls has no error of its own in sqlx.
        if let sqlx::Error::Io(why) = &error
            && why.kind() == std::io::ErrorKind::InvalidData
        {
            return Self::Tls(why.to_string());
        }
        match Self::from(error) {
            Self::Lost(why) => Self::Unreachable { place: place.to_owned(), why },
            other => other,
        }
    }

    /// Gives a timeout, whose length the server does not tell, the length it had.
    #[must_use]
    pub(crate) fn within(self, limit: Duration) -> Self {
        if self == Self::TimedOut(Duration::ZERO) { Self::TimedOut(limit) } else { self }
    }

    /// Names the row behind a value that could not be decoded.
    #[must_use]
    pub(super) fn row(table: &'static str, column: &str, key: &str, why: &str) -> Self {
        Self::Inconsistent {
            table,
            column: column.to_owned(),
            key: key.to_owned(),
            why: why.to_owned(),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(answer) => from_server(&*answer),
            sqlx::Error::Tls(why) => Self::Tls(why.to_string()),
            sqlx::Error::Configuration(why) => Self::Login(why.to_string()),
            sqlx::Error::Io(why) => Self::Lost(why.to_string()),
            sqlx::Error::ColumnDecode { index, source } => {
                Self::row("(answer)", &index, "a row of the answer", &source.to_string())
            }
            other => Self::Lost(other.to_string()),
        }
    }
}

/// SQLSTATE to words: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn from_server(answer: &dyn DatabaseError) -> Error {
    let code = answer.code().unwrap_or_default().into_owned();
    let message = answer.message().to_owned();
    match code.as_str() {
        "28P01" | "28000" => Error::Login(message),
        "3D000" => Error::NoDatabase(message),
        "53300" | "57P03" => Error::Busy(message),
        // query_canceled: the server says in the message alone whether a timeout or a cancel did it
        // (translated on some servers; the routine's name is not).
        "57014" if message.contains("user request") => Error::Cancelled,
        "57014" => Error::TimedOut(Duration::ZERO),
        "42501" | "25006" => Error::NotPermitted(message),
        "42P01" | "42703" | "3F000" | "42883" => Error::MissingTable(message),
        "23505" => duplicate(answer, message),
        "40001" | "40P01" => Error::Again(message),
        "55P03" => Error::Locked(message),
        "57P01" | "57P02" | "57P05" | "25P03" | "25P04" | "08000" | "08003" | "08006" => {
            Error::Lost(message)
        }
        _ => Error::Server { code, message },
    }
}

/// The columns are in the detail, `Key (stream_id, version)=(…) already exists.`: the words around them may be
/// translated, and all of it is missing where a column may not be read.
fn duplicate(answer: &dyn DatabaseError, message: String) -> Error {
    let detail = answer.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::detail);
    let columns = detail.and_then(|detail| {
        let (_, rest) = detail.split_once('(')?;
        rest.split_once(")=(").map(|(columns, _)| columns.to_owned())
    });
    Error::Duplicate {
        table: answer.table().unwrap_or_default().to_owned(),
        columns: columns.unwrap_or_default(),
        message,
    }
}

fn human(limit: &Duration) -> String {
    match limit.as_millis() {
        0 => "the time limit".to_owned(),
        ms if ms < 1_000 => format!("{ms} ms"),
        _ => format!("{} s", limit.as_secs_f32()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_as_a_person_would() {
        assert_eq!(human(&Duration::from_millis(250)), "250 ms");
        assert_eq!(human(&Duration::from_secs(2)), "2 s");
        assert_eq!(human(&Duration::ZERO), "the time limit");
    }

    #[test]
    fn an_io_error_is_unreachable_only_while_connecting() {
        let io = || sqlx::Error::Io(std::io::Error::other("no route"));
        let error = Error::connecting(io(), "pg:5432");
        assert!(matches!(error, Error::Unreachable { place, .. } if place == "pg:5432"));
        assert!(matches!(Error::from(io()), Error::Lost(_)));
    }

    #[test]
    fn a_timeout_learns_its_length() {
        let error = Error::TimedOut(Duration::ZERO).within(Duration::from_secs(2));
        assert_eq!(error, Error::TimedOut(Duration::from_secs(2)));
        assert_eq!(Error::Cancelled.within(Duration::from_secs(2)), Error::Cancelled);
    }
}
