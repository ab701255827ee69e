//! The driver's errors by name, and the server's by SQLSTATE.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use sqlx::{
    error::DatabaseError,
    postgres::{PgDatabaseError, PgSeverity},
};

use super::Error;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(answer) => ended_by(&*answer, from_server(&*answer)),
            E::Io(why) => from_io(&why),
            E::Tls(why) => Self::Tls(why.to_string()),
            E::Configuration(why) => Self::Configuration(why.to_string()),
            E::ConfigFile(why) => Self::Configuration(why.to_string()),
            E::Protocol(why) => Self::Protocol(why),
            begin @ E::BeginFailed => Self::Protocol(begin.to_string()),
            E::RowNotFound => Self::MissingRow(None),
            E::ColumnDecode { index, source } => {
                unreadable(Some(column(&index)), source.to_string())
            }
            E::Decode(why) => unreadable(None, why.to_string()),
            E::TypeNotFound { type_name } => {
                Self::MissingTable(format!("type {type_name} does not exist"))
            }
            E::PoolTimedOut => Self::PoolTimedOut,
            E::PoolClosed => Self::PoolClosed,
            E::WorkerCrashed => Self::WorkerCrashed,
            E::Migrate(why) => Self::Migration(why.to_string()),
            // Columns that a statement does not have, arguments that cannot be sent: never the database's fault.
            other => Self::Defect(other.to_string()),
        }
    }
}

impl Error {
    /// An error of opening a session: what would be a lost connection later is no connection yet.
    pub(in crate::db) fn connecting(error: sqlx::Error, place: &str) -> Self {
        let named = match error {
            sqlx::Error::Database(answer) => from_server(&*answer),
            other => Self::from(other),
        };
        match named {
            Self::Lost(why) | Self::Io(why) | Self::Protocol(why) => {
                Self::Unreachable { place: place.to_owned(), why }
            }
            other => other,
        }
    }
}

/// Names the table that an error about its rows leaves out.
pub(in crate::db) trait OfTable<T> {
    fn of(self, table: &'static str) -> Result<T, Error>;
}

impl<T> OfTable<T> for Result<T, sqlx::Error> {
    fn of(self, table: &'static str) -> Result<T, Error> {
        self.map_err(|error| match Error::from(error) {
            Error::Inconsistent { table: None, column, key, why } => {
                Error::Inconsistent { table: Some(table), column, key, why }
            }
            Error::MissingRow(None) => Error::MissingRow(Some(table)),
            other => other,
        })
    }
}

const fn unreadable(column: Option<String>, why: String) -> Error {
    Error::Inconsistent { table: None, column, key: None, why }
}

/// The driver names a column in quotes, or by its place from 0.
fn column(index: &str) -> String {
    match index.parse::<usize>() {
        Ok(place) => format!("column {}", place + 1),
        Err(_) => index.trim_matches('"').to_owned(),
    }
}

fn from_io(error: &io::Error) -> Error {
    let why = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::TimedOut
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown => Error::Lost(why),
        // The TLS layer reports so what it cannot decrypt or verify.
        ErrorKind::InvalidData => Error::Tls(why),
        _ => Error::Io(why),
    }
}

/// A fatal answer ends the session, whatever it is about. A pooler ends sessions with "protocol violation".
fn ended_by(answer: &dyn DatabaseError, named: Error) -> Error {
    let severity = answer.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    let fatal = matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic));
    match named {
        Error::Protocol(why) if fatal => Error::Lost(why),
        other if fatal && !other.ends_session() => Error::Lost(answer.message().to_owned()),
        other => other,
    }
}

/// SQLSTATE to words: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn from_server(answer: &dyn DatabaseError) -> Error {
    let code = answer.code().unwrap_or_default().into_owned();
    let message = answer.message().to_owned();
    match code.as_str() {
        "28P01" | "28000" => Error::Login(message),
        "3D000" | "57P04" => Error::NoDatabase(message),
        "53300" | "57P03" => Error::Busy(message),
        "53000" | "53100" | "53200" | "53400" => Error::NoRoom(message),
        // query_canceled: the server says in the message alone whether a timeout or a cancel did it
        // (translated on some servers; the routine's name is not).
        "57014" if message.contains("user request") => Error::Cancelled,
        "57014" => Error::TimedOut(Duration::ZERO),
        "42501" => Error::NotPermitted(message),
        "25006" => Error::ReadOnly(message),
        "42P01" | "42703" | "3F000" | "42883" => Error::MissingTable(message),
        "23505" => duplicate(answer, message),
        "40000" | "40001" | "40P01" => Error::Again(message),
        "55P03" => Error::Locked(message),
        "08P01" => Error::Protocol(message),
        // Of 40003 and 08007 the server does not know itself whether it committed.
        "57P01" | "57P02" | "57P05" | "25P03" | "25P04" | "40003" | "08000" | "08001" | "08003"
        | "08004" | "08006" | "08007" => Error::Lost(message),
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
