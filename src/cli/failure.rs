//! How a verb fails: what it tells, and the exit code of the error behind it.

use super::exit::{self, ExitCode};
use crate::{
    config,
    domain::{decide, outbox_action},
    ops::{
        delivery, error_queue,
        operation::{Check, Ending, PlanError, Verdict},
    },
    relay,
    workers::consumer,
};

/// Why a verb could not do its work: what to tell, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub code: u8,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: exit::USAGE }
    }
}

impl<E: ExitCode + std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: error.exit_code(), message: error.to_string() }
    }
}

/// A broken pipe ends a verb quietly, as every tool in a pipeline does.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { message: String::new(), code: exit::FOUND };
        }
        Self::usage(format!("cannot write the answer: {error}"))
    }
}

impl ExitCode for config::Error {
    fn exit_code(&self) -> u8 {
        exit::USAGE
    }
}

impl ExitCode for relay::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Url(_) | Self::ManagementUrl(_) => exit::USAGE,
            Self::Login { .. } | Self::Refused { .. } => exit::REFUSED,
            _ => exit::UNREACHABLE,
        }
    }
}

impl ExitCode for PlanError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(decide::Refusal::UnknownOrder(_)) => exit::NOTHING,
            Self::Declined(refusal) if is_absence(refusal) => exit::NOTHING,
            Self::NoOperation(_) => exit::NOTHING,
            Self::Blocked(checks) if has_nothing_to_do(checks) => exit::NOTHING,
            Self::ErrorQueue(error) => error.exit_code(),
            Self::NoBroker(_) | Self::Nameless(_) => exit::USAGE,
            Self::Unresolved { .. } | Self::Schema { refused: false, .. } => exit::UNREACHABLE,
            Self::Work(failed) => match failed.ending {
                Ending::Nothing => exit::NOTHING,
                Ending::Refused => exit::REFUSED,
                Ending::Passing => exit::UNREACHABLE,
            },
            Self::Database(error) => error.exit_code(),
            Self::Broker(error) => error.exit_code(),
            Self::Delivery(error) => error.exit_code(),
            _ => exit::REFUSED,
        }
    }
}

/// Nothing forbids it but that there is nothing to do.
fn has_nothing_to_do(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict != Verdict::Blocking)
}

/// There is nothing to do it to.
const fn is_absence(refusal: &outbox_action::Refusal) -> bool {
    use outbox_action::Refusal as R;
    matches!(refusal, R::NoMessage(_) | R::NoOutbox(_) | R::NotKept(_) | R::Nothing)
}

impl ExitCode for error_queue::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Broker(error) => error.exit_code(),
            Self::NoKey(_) | Self::NoGroup(_) => exit::NOTHING,
            Self::NoQueue | Self::Ambiguous(_) => exit::USAGE,
        }
    }
}

impl ExitCode for delivery::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Database(error) => error.exit_code(),
            Self::Broker(error) => error.exit_code(),
            Self::Unrecorded | Self::OfService => exit::REFUSED,
            Self::SendLog { .. } => exit::USAGE,
        }
    }
}

impl ExitCode for consumer::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Database(error) => error.exit_code(),
            Self::Broker(error) => error.exit_code(),
            Self::Later(error) => error.exit_code(),
            Self::Again { .. } => exit::PARTIAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;

    #[test]
    fn an_error_of_the_database_ends_every_verb_alike() {
        let pairs = [
            (db::Error::Lost("reset".to_owned()), exit::UNREACHABLE),
            (db::Error::Locked("a row".to_owned()), exit::REFUSED),
            (db::Error::MissingRow(Some("orders")), exit::REFUSED),
        ];
        for (error, code) in pairs {
            let planned = PlanError::Database(error.clone());
            let codes = [
                Failure::from(planned.clone()).code,
                Failure::from(consumer::Error::Later(planned)).code,
                Failure::from(delivery::Error::Database(error.clone())).code,
                Failure::from(error).code,
            ];
            assert_eq!(codes, [code; 4]);
        }
    }

    #[test]
    fn what_refuses_the_broker_refuses_every_verb_alike() {
        let refused = || relay::Error::Refused { why: "no permission".to_owned() };
        let codes = [
            Failure::from(refused()).code,
            Failure::from(delivery::Error::Broker(refused())).code,
            Failure::from(PlanError::Broker(refused())).code,
            Failure::from(error_queue::Error::Broker(refused())).code,
        ];
        assert_eq!(codes, [exit::REFUSED; 4]);
    }
}
