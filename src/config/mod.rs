//! Settings: arguments, environment and the configuration file, as typed values. The only module that
//! reads environment variables for settings (those of the embedded server are in `embedded::Config`).

mod connection;
mod database;
mod environment;
mod file;
mod local_zone;
mod reference;
mod saved;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use chrono::TimeDelta;

pub use self::{
    connection::{
        ConnectionString, PARAMETERS, Parameter, Rule, has_password, is_address_like,
        without_passwords,
    },
    database::{Context, Given, Server, Target, choose},
    environment::Environment,
    file::{CommandsFile, ContextFile, ErrorsFile, File, MessagesFile, RelayFile},
    reference::{ENVIRONMENT, KEYS, KeyHelp, VariableHelp},
    saved::SavedState,
};
use crate::domain::{
    consumer::Consumer,
    diagnosis::Thresholds,
    inbound::{Commands, Kind},
    zone::Zone,
};

/// What is wrong with the settings. Every text names the place and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot read {path}: {why}; correct its name or permissions, or name another file with --config"
    )]
    Unreadable { path: String, why: String },
    #[error("{path}: {why}")]
    Malformed { path: String, why: String },
    #[error("{what} {value:?} cannot be used: {why}")]
    Value { what: &'static str, value: String, why: String },
    /// A way to name a database that cannot be used. What stands there is not repeated: it may hold a password.
    #[error("{place} cannot be used: {why}")]
    Connection { place: String, why: String },
    #[error(
        "a password on the command line can be read by every user of this machine; put it into \
         PGPASSWORD, a pass file (~/.pgpass) or DATABASE_URL (for the broker: ORDERSCOPE_AMQP_PASSWORD)"
    )]
    PasswordInArguments,
    #[error(
        "what may be a database's address stands where none is taken, and is not repeated because a password may stand \
         in it; a database is named by --database-url, without a password"
    )]
    AddressMisplaced,
    #[error(
        "no broker is named; set relay.broker in {path}, ORDERSCOPE_AMQP_URL or --amqp-url (without a password)"
    )]
    NoBroker { path: String },
    #[error("there is no context {name:?} in {path}; its contexts are: {known}")]
    NoContext { name: String, path: String, known: String },
}

/// The settings of the file, with defaults for what it does not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub path: PathBuf,
    pub file: File,
    /// What variables say.
    pub environment: Environment,
    pub zone: Zone,
    pub interval: Duration,
    pub keys: BTreeMap<String, Vec<String>>,
    /// What counts as trouble with messages.
    pub thresholds: Thresholds,
    /// The time between samples of outbox and inbox.
    pub sample_every: Option<Duration>,
    /// How long to keep copies of messages that operators removed; none: forever.
    pub copies: Option<TimeDelta>,
    /// Names for the ids of consumers.
    pub consumers: Vec<Consumer>,
    /// Where commands arrive as messages, if anywhere.
    pub commands: Option<Commands>,
}

impl Settings {
    /// Reads the configuration file: a named one, which must exist, or the default one, which may be missing.
    ///
    /// # Errors
    /// When it cannot be read or says something that cannot be used.
    pub fn read(named: Option<PathBuf>, environment: Environment) -> Result<Self, Error> {
        let must_exist = named.is_some();
        let path = named.unwrap_or_else(default_path);
        let file = file::read(&path, must_exist)?;
        let zone = zone(file.zone.as_deref().unwrap_or("UTC"))?;
        let interval = Duration::from_secs(file.interval.unwrap_or(5).clamp(1, 3_600));
        let keys = file.keys.clone();
        let thresholds = thresholds(&file.messages);
        let seconds = file.messages.sample_every.map(|seconds| u64::from(seconds.clamp(5, 300)));
        let sample_every = seconds.map(Duration::from_secs);
        let copies = file.messages.copies_days.map(|days| TimeDelta::days(days.get().into()));
        let mut consumers: Vec<Consumer> =
            file.messages.consumers.iter().map(|name| consumer(name)).collect::<Result<_, _>>()?;
        let commands = commands(&file.commands)?;
        if let Some(commands) = &commands {
            consumers.extend([Kind::Complete, Kind::Cancel].map(|kind| commands.consumer(kind)));
        }
        Ok(Self {
            path,
            file,
            environment,
            zone,
            interval,
            keys,
            thresholds,
            sample_every,
            copies,
            consumers,
            commands,
        })
    }

    /// Refuses unknown operations in `allow`: a misspelt one would silently stay forbidden.
    ///
    /// # Errors
    /// When a context allows an unknown operation.
    pub fn check_allowed(&self, operations: &[&str]) -> Result<(), Error> {
        for (name, context) in &self.file.contexts {
            for (role, allowed) in &context.allow {
                let known = |operation: &str| operation == "*" || operations.contains(&operation);
                if let Some(unknown) = allowed.iter().find(|operation| !known(operation)) {
                    let list = operations.join(", ");
                    let why = format!(
                        "contexts.{name}.allow.{role} names the operation {unknown:?}; there are {list}, and \"*\""
                    );
                    return Err(Error::Malformed { path: self.path.display().to_string(), why });
                }
            }
        }
        Ok(())
    }
}

/// The thresholds of the file, with defaults for what it does not set.
fn thresholds(file: &MessagesFile) -> Thresholds {
    let default = Thresholds::default();
    let seconds = |given: Option<u32>, default: TimeDelta| {
        given.map_or(default, |seconds| TimeDelta::seconds(seconds.into()))
    };
    Thresholds {
        backlog: file.backlog_alert.map_or(default.backlog, i64::from),
        stalled: seconds(file.stalled_after, default.stalled),
        held: seconds(file.held_after, default.held),
        window: seconds(file.duplicate_window, default.window),
        largest: file.largest.map_or(default.largest, i64::from),
        duplicates: file.duplicates_alert.map_or(default.duplicates, i64::from),
    }
}

fn consumer(name: &str) -> Result<Consumer, Error> {
    let bad = |error: crate::domain::consumer::NoConsumer| Error::Value {
        what: "messages.consumers",
        value: name.to_owned(),
        why: error.to_string(),
    };
    name.parse().map_err(bad)
}

fn commands(file: &CommandsFile) -> Result<Option<Commands>, Error> {
    let Some(queue) = &file.queue else { return Ok(None) };
    let or = |given: &Option<String>, default: &str| given.clone().unwrap_or(default.to_owned());
    let commands = Commands {
        queue: queue.clone(),
        complete: or(&file.complete, Commands::COMPLETE),
        cancel: or(&file.cancel, Commands::CANCEL),
    };
    match commands.wrong() {
        None => Ok(Some(commands)),
        Some(why) => Err(Error::Value {
            what: "commands",
            value: format!("{}, {}", commands.complete, commands.cancel),
            why: why.to_owned(),
        }),
    }
}

/// The broker's URL, and its password if that is not in the URL: `--amqp-url`, `ORDERSCOPE_AMQP_URL`, then the
/// configuration.
///
/// # Errors
/// When none is configured, or the arguments contain a password.
pub fn broker(
    argument: Option<&str>,
    settings: &Settings,
) -> Result<(String, Option<String>), Error> {
    let environment = &settings.environment;
    let password = environment.text("ORDERSCOPE_AMQP_PASSWORD")?.map(str::to_owned);
    if let Some(url) = argument {
        if has_password(url) {
            return Err(Error::PasswordInArguments);
        }
        return Ok((url.to_owned(), password));
    }
    let configured = || settings.file.relay.broker.as_ref().map(ConnectionString::text);
    let url = environment.text("ORDERSCOPE_AMQP_URL")?.or_else(configured);
    let path = settings.path.display().to_string();
    url.map(|url| (url.to_owned(), password)).ok_or(Error::NoBroker { path })
}

/// `UTC`, `local` (by `TZ`, else the machine's), an offset or a zone's name.
///
/// # Errors
/// When there is no such zone.
pub fn zone(text: &str) -> Result<Zone, Error> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("local") {
        let tz = std::env::var_os("TZ").map(|tz| tz.to_string_lossy().into_owned());
        return local_zone::local(tz.as_deref());
    }
    text.parse().map_err(|error: crate::domain::zone::UnknownZone| Error::Value {
        what: "the time zone",
        value: text.to_owned(),
        why: error.to_string(),
    })
}

/// Where the configuration file is looked for: `$XDG_CONFIG_HOME/orderscope/config.toml`.
#[must_use]
pub fn default_path() -> PathBuf {
    dirs::config_dir().unwrap_or_else(|| PathBuf::from(".")).join("orderscope/config.toml")
}

/// Where saved state, logs and exports are kept.
#[must_use]
pub fn state_dir() -> PathBuf {
    let dir = dirs::state_dir().or_else(dirs::data_local_dir);
    dir.unwrap_or_else(|| PathBuf::from(".")).join("orderscope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_operation_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let read = |commands: &str| {
            let text = format!("[contexts.prod]\nallow = {{ support = [{commands}] }}\n");
            std::fs::write(&path, text).unwrap();
            Settings::read(Some(path.clone()), Environment::default())?
                .check_allowed(&["CancelOrder", "DrainOutbox"])
        };
        assert!(read("\"CancelOrder\", \"*\"").is_ok());
        let error = read("\"CancelOrders\"").unwrap_err().to_string();
        assert!(
            error.contains("contexts.prod.allow.support") && error.contains("CancelOrder,"),
            "{error}"
        );
    }
}
