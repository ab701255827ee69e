//! Every error of the driver and every SQLSTATE that is known gets its own name.

use std::{borrow::Cow, fmt, io};

use sqlx::error::{DatabaseError, ErrorKind};

use super::*;

/// What a server answers, as far as it is looked at.
#[derive(Debug)]
struct Answer(&'static str);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Answer {}

impl DatabaseError for Answer {
    fn message(&self) -> &'static str {
        "told"
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }
    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }
    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

fn server(code: &'static str) -> Error {
    sqlx::Error::Database(Box::new(Answer(code))).into()
}

fn io(kind: io::ErrorKind) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(kind, "why"))
}

fn unreadable(table: Option<&'static str>, column: Option<&str>) -> Error {
    let (column, why) = (column.map(ToOwned::to_owned), "why".to_owned());
    Error::Inconsistent { table, column, key: None, why }
}

/// All but `ConfigFile`, which is of sqlx's own tools and cannot be made here.
#[test]
fn every_error_of_the_driver_has_its_name() {
    use sqlx::Error as E;
    let told = || "why".to_owned();
    let decode = |index: &str| E::ColumnDecode { index: index.to_owned(), source: "why".into() };
    let named = [
        (E::Configuration("why".into()), Error::Configuration(told())),
        (E::Tls("why".into()), Error::Tls(told())),
        (io(io::ErrorKind::ConnectionReset), Error::Lost(told())),
        (io(io::ErrorKind::BrokenPipe), Error::Lost(told())),
        (io(io::ErrorKind::UnexpectedEof), Error::Lost(told())),
        (io(io::ErrorKind::TimedOut), Error::Lost(told())),
        (io(io::ErrorKind::InvalidData), Error::Tls(told())),
        (io(io::ErrorKind::NotFound), Error::Io(told())),
        (io(io::ErrorKind::OutOfMemory), Error::Io(told())),
        (E::Protocol(told()), Error::Protocol(told())),
        (E::RowNotFound, Error::MissingRow(None)),
        (decode("\"status\""), unreadable(None, Some("status"))),
        (decode("2"), unreadable(None, Some("column 3"))),
        (E::Decode("why".into()), unreadable(None, None)),
        (
            E::TypeNotFound { type_name: "citext".to_owned() },
            Error::MissingTable("type citext does not exist".to_owned()),
        ),
        (E::PoolTimedOut, Error::PoolTimedOut),
        (E::PoolClosed, Error::PoolClosed),
        (E::WorkerCrashed, Error::WorkerCrashed),
    ];
    for (error, expected) in named {
        let text = format!("{error:?}");
        assert_eq!(Error::from(error), expected, "{text}");
    }
    let migrate = sqlx::migrate::MigrateError::VersionMissing(7);
    assert!(matches!(Error::from(E::Migrate(Box::new(migrate))), Error::Migration(_)));
    assert!(matches!(Error::from(E::BeginFailed), Error::Protocol(_)));
    for misused in [
        E::ColumnNotFound("status".to_owned()),
        E::ColumnIndexOutOfBounds { index: 3, len: 2 },
        E::InvalidArgument(told()),
        E::Encode("why".into()),
        E::AnyDriverError("why".into()),
        E::InvalidSavePointStatement,
    ] {
        let error = Error::from(misused);
        assert!(matches!(error, Error::Defect(_)), "{error:?}");
    }
}

#[test]
fn what_the_server_answers_is_named_by_its_code() {
    let told = || "told".to_owned();
    let named = [
        ("28P01", Error::Login(told())),
        ("3D000", Error::NoDatabase(told())),
        ("57P04", Error::NoDatabase(told())),
        ("53300", Error::Busy(told())),
        ("53100", Error::NoRoom(told())),
        ("53200", Error::NoRoom(told())),
        ("57014", Error::TimedOut(Duration::ZERO)),
        ("42501", Error::NotPermitted(told())),
        ("42P01", Error::MissingTable(told())),
        ("42703", Error::MissingTable(told())),
        ("40001", Error::Again(told())),
        ("40P01", Error::Again(told())),
        ("55P03", Error::Locked(told())),
        ("57P01", Error::Lost(told())),
        ("08006", Error::Lost(told())),
        ("08007", Error::Lost(told())),
        ("08P01", Error::Protocol(told())),
        ("22P02", Error::Server { code: "22P02".to_owned(), message: told() }),
        ("XX001", Error::Server { code: "XX001".to_owned(), message: told() }),
    ];
    for (code, expected) in named {
        assert_eq!(server(code), expected, "{code}");
    }
    assert!(matches!(server("23505"), Error::Duplicate { .. }));
}

/// A decode error, a missing row or a full pool repeated at once fails again, or hides what is wrong.
#[test]
fn only_what_the_server_undid_and_what_was_not_committed_is_safe_again() {
    for error in [server("40001"), server("40P01"), Error::from(io(io::ErrorKind::BrokenPipe))] {
        assert!(error.is_safe_again(), "{error}");
    }
    let never = [
        sqlx::Error::RowNotFound,
        sqlx::Error::Decode("why".into()),
        sqlx::Error::ColumnDecode { index: "0".to_owned(), source: "why".into() },
        sqlx::Error::Protocol("why".to_owned()),
        sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed,
        sqlx::Error::WorkerCrashed,
        sqlx::Error::Tls("why".into()),
        sqlx::Error::Configuration("why".into()),
        sqlx::Error::ColumnNotFound("status".to_owned()),
        io(io::ErrorKind::NotFound),
    ];
    for error in never.map(Error::from).into_iter().chain([server("22P02"), server("57014")]) {
        assert!(!error.is_safe_again(), "{error}");
    }
}

/// A commit that got no answer of the server must be looked up: it may have been done.
#[test]
fn a_session_is_over_when_the_server_did_not_answer() {
    for error in [
        io(io::ErrorKind::ConnectionReset),
        io(io::ErrorKind::OutOfMemory),
        io(io::ErrorKind::InvalidData),
        sqlx::Error::Protocol("why".to_owned()),
        sqlx::Error::BeginFailed,
        sqlx::Error::WorkerCrashed,
    ] {
        let error = Error::from(error);
        assert!(error.ends_session(), "{error}");
    }
    for error in [server("40001"), server("22P02"), server("57014"), server("42501")] {
        assert!(!error.ends_session(), "{error}");
    }
    assert!(!Error::from(sqlx::Error::RowNotFound).ends_session());
}

#[test]
fn a_table_is_named_where_it_is_known() {
    let found: Result<(), sqlx::Error> = Err(sqlx::Error::RowNotFound);
    let error = found.of("mt_streams").unwrap_err();
    assert!(error.to_string().starts_with("a row that has to be in mt_streams is missing"));
    let decode = sqlx::Error::ColumnDecode { index: "\"status\"".to_owned(), source: "why".into() };
    let error = Err::<(), _>(decode).of("orders").unwrap_err();
    assert_eq!(error, unreadable(Some("orders"), Some("status")));
    assert!(error.to_string().starts_with("orders.status cannot be read: why;"), "{error}");
    let texts = [
        (unreadable(None, Some("status")), "status of a row cannot be read"),
        (unreadable(Some("orders"), None), "a value of orders cannot be read"),
        (unreadable(None, None), "a value cannot be read"),
        (Error::row("orders", "price", "7", "why"), "orders.price of 7 cannot be read"),
        (Error::MissingRow(None), "a row that has to be there is missing"),
    ];
    for (error, text) in texts {
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let lost = Err::<(), _>(io(io::ErrorKind::BrokenPipe)).of("orders").unwrap_err();
    assert_eq!(lost, Error::Lost("why".to_owned()));
}

#[test]
fn a_limit_is_named_as_a_person_would() {
    assert_eq!(human(&Duration::from_millis(250)), "250 ms");
    assert_eq!(human(&Duration::from_secs(2)), "2 s");
    assert_eq!(human(&Duration::ZERO), "the time limit");
}

#[test]
fn a_connection_that_never_was_is_unreachable() {
    for error in [
        io(io::ErrorKind::ConnectionRefused),
        io(io::ErrorKind::PermissionDenied),
        sqlx::Error::Protocol("unexpected response".to_owned()),
        sqlx::Error::Database(Box::new(Answer("08P01"))),
    ] {
        let error = Error::connecting(error, "pg:5432");
        assert!(
            matches!(&error, Error::Unreachable { place, .. } if place == "pg:5432"),
            "{error}"
        );
    }
    let refused = sqlx::Error::Database(Box::new(Answer("28P01")));
    assert_eq!(Error::connecting(refused, "pg:5432"), Error::Login("told".to_owned()));
}

#[test]
fn a_timeout_learns_its_length() {
    let error = Error::TimedOut(Duration::ZERO).within(Duration::from_secs(2));
    assert_eq!(error, Error::TimedOut(Duration::from_secs(2)));
    assert_eq!(Error::Cancelled.within(Duration::from_secs(2)), Error::Cancelled);
}
