//! The configuration file. Unknown keys are errors: a misspelt setting must not be silently ignored.

use std::{collections::BTreeMap, io, num::NonZeroU16, path::Path};

use serde::Deserialize;

use super::{ConnectionString, Error};
use crate::{files, servers::Schemas};

/// `config.toml` as written. Every key is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The context to open if nothing else names a database.
    pub default: Option<String>,
    /// `ansi`, `dusk`, `paper` or `mono`.
    pub theme: Option<String>,
    /// `UTC`, `local`, an offset or a name such as `Asia/Tokyo`.
    pub zone: Option<String>,
    /// Whether the mouse is used. Default: yes.
    pub mouse: Option<bool>,
    /// Seconds between refreshes, 1 to 3600. Default: 5.
    pub interval: Option<u64>,
    /// The statement timeout in seconds. Default: 2.
    pub statement_timeout: Option<u64>,
    /// What counts as trouble with messages.
    #[serde(default)]
    pub messages: MessagesFile,
    /// Keys by action name, in place of the defaults.
    #[serde(default)]
    pub keys: BTreeMap<String, Vec<String>>,
    /// The relay: its broker and its batch sizes.
    #[serde(default)]
    pub relay: RelayFile,
    /// The broker's error queues.
    #[serde(default)]
    pub errors: ErrorsFile,
    /// Commands that arrive as messages.
    #[serde(default)]
    pub commands: CommandsFile,
    /// Named databases.
    #[serde(default)]
    pub contexts: BTreeMap<String, ContextFile>,
}

/// What counts as trouble with messages, and the names of consumers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagesFile {
    /// More pending messages than this are an alert. Default: 1000.
    pub backlog_alert: Option<u32>,
    /// Seconds after which an oldest outbox that does not move counts as stalled. Default: 900.
    pub stalled_after: Option<u32>,
    /// Seconds after which a pending outbox is diagnosed, and an inbox row counts as failing. Default: 60.
    pub held_after: Option<u32>,
    /// The service's window for duplicates, in seconds. Default: 1800.
    pub duplicate_window: Option<u32>,
    /// The largest message the broker accepts, in bytes. Default: 16 MiB.
    pub largest: Option<u32>,
    /// Alert if at least this many percent of the last hour's deliveries are duplicates. Default: 10.
    pub duplicates_alert: Option<u8>,
    /// Seconds between samples of outbox and inbox, 5 to 300. Default: 20.
    pub sample_every: Option<u16>,
    /// Days to keep copies of messages that operators removed or changed, at least 1. Default: forever.
    pub copies_days: Option<NonZeroU16>,
    /// `HANDLER:MESSAGE:QUEUE`, with full type names.
    #[serde(default)]
    pub consumers: Vec<String>,
}

/// `[errors]`: the broker's error queues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorsFile {
    /// `_error` and `_skipped` queues. Default: those that belong to the consumers' queues.
    #[serde(default)]
    pub queues: Vec<String>,
    /// `http://HOST:PORT` of the broker's management interface. Default: not used.
    pub management: Option<String>,
}

/// `[commands]`: completing and cancelling orders by message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandsFile {
    /// The queue they arrive in. Default: none, nothing is consumed.
    pub queue: Option<String>,
    /// The message type that completes an order.
    pub complete: Option<String>,
    /// The message type that cancels an order.
    pub cancel: Option<String>,
    /// Attempts for a message whose failure may be temporary. Default: 9.
    pub attempts: Option<NonZeroU16>,
}

/// One named database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextFile {
    /// A PostgreSQL connection URL or string; leave the password to a pass file or `PGPASSWORD`.
    pub url: Option<ConnectionString>,
    /// The same database past a pooler: for writing, and for stopping statements.
    pub direct: Option<ConnectionString>,
    /// `url` is known to be a pooler in transaction mode; else that is found out.
    #[serde(default)]
    pub pgbouncer: bool,
    /// Production is shown in the header.
    #[serde(default)]
    pub production: bool,
    /// Nothing can be written, and the console cannot be unlocked.
    #[serde(default)]
    pub read_only: bool,
    /// Seconds that the console stays unlocked, 1 to 28800. Default: 600.
    pub unlock: Option<u64>,
    /// The context's name must be typed to run a command. Default: only in production.
    pub typed_confirmation: Option<bool>,
    /// A bulk operation with more items than this needs the approval of a second person. Default: none does.
    pub approve_above: Option<u64>,
    /// Allowed commands by database role; `*` allows all.
    #[serde(default)]
    pub allow: BTreeMap<String, Vec<String>>,
    /// The schemas of the service's tables. Default: they are looked for in all of them.
    #[serde(default)]
    pub schemas: Schemas,
    /// The tenant of the event store to look at and to write for. Default: all; orders in several are refused.
    pub tenant: Option<String>,
}

/// `[relay]`: delivery of outbox messages to RabbitMQ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayFile {
    /// `amqp://USER@HOST:PORT/VIRTUALHOST`; the password is better in `ORDERSCOPE_AMQP_PASSWORD`.
    pub broker: Option<ConnectionString>,
    /// Days that delivered rows stay in a managed database (default: 7), and copies of them in an attached one
    /// (default: none).
    pub keep_days: Option<u32>,
    /// Outboxes per transaction. Default: 500.
    pub outboxes: Option<u16>,
    /// Messages per transaction. Default: 1000.
    pub messages: Option<u16>,
    /// Megabytes of bodies per transaction. Default: 8.
    pub megabytes: Option<u16>,
    /// Messages sent and not confirmed at a time, which may arrive twice if the relay is killed. Default: 100.
    pub unconfirmed: Option<u16>,
    /// Keep a message pending if no queue is bound for it, instead of counting it as delivered. Default: no.
    #[serde(default)]
    pub hold_returned: bool,
}

/// No configuration is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a file. A missing file counts as empty, unless `must_exist`.
pub(super) fn read(path: &Path, must_exist: bool) -> Result<File, Error> {
    let shown = path.display().to_string();
    let text = match files::text(path, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
            return Ok(File::default());
        }
        Err(error) => return Err(Error::Unreadable { path: shown, why: error.to_string() }),
    };
    toml::from_str(&text).map_err(|error| Error::Malformed { path: shown, why: why(&text, &error) })
}

/// Where the file is malformed, and how. The parser would show the line, in which a password may stand: only the
/// key is named, if there is one.
fn why(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    let key = if line.contains('=') && !key.is_empty() && key.chars().all(plain) {
        format!(" ({key})")
    } else {
        String::new()
    };
    // `invalid type: string "…", expected u64`; keys that are names are told.
    let mut told = error.message().to_owned();
    if let (Some(from), Some(to)) = (told.find('"'), told.rfind('"'))
        && from < to
    {
        told.replace_range(from..=to, "…");
    }
    if let Some(strange) = told.split('`').nth(1).filter(|name| !name.chars().all(plain)) {
        told = told.replace(strange, "…");
    }
    format!("line {number}, column {column}{key}: {told}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_reported_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, "theme = \"dusk\"\nzoen = \"UTC\"\n").unwrap();
        let error = read(&path, true).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("zoen"), "{error}");
    }

    #[test]
    fn what_is_malformed_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for (text, place) in [
            ("theme = \"dusk\"\n[contexts.a]\nurl = \"postgres://u:s3cret@h\n", "line 3, column"),
            ("[contexts]\nprod = \"postgres://u:s3cret@h\"\n", "line 2, column 8 (prod)"),
            ("[contexts.prod]\nurl = [\"postgres://u:s3cret@h\"]\n", "line 2, column 7 (url)"),
            ("interval = \"postgres://u:s3cret@h\"", "line 1, column 12 (interval)"),
            ("Host=h;Password=s3cret\n", "line 1, column"),
            ("[contexts.prod]\nurl = postgres://u:s3cret@h\n", "line 2, column"),
            ("\n\npassword:s3cret\n", "line 3, column"),
            ("'s3cret' = 1\n'", "line "),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path, true).unwrap_err().to_string();
            assert!(error.contains(place) && !error.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn the_usual_file_may_be_missing_the_named_one_not() {
        let nowhere = Path::new("/nonexistent/orderscope.toml");
        assert_eq!(read(nowhere, false), Ok(File::default()));
        assert!(matches!(read(nowhere, true), Err(Error::Unreadable { .. })));
    }

    #[test]
    fn what_has_no_end_is_not_read_to_its_end() {
        let error = read(Path::new("/dev/zero"), true).unwrap_err().to_string();
        assert!(error.contains("longer than 1024 kB"), "{error}");
    }
}
