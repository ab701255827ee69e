//! Exit codes: what a script learns from an error. Every error says its own, or that of the error it wraps.

use super::Error;
use crate::{
    db::{self, migrate},
    demo, embedded,
};

pub const FOUND: u8 = 0;
pub const NOTHING: u8 = 1;
pub const USAGE: u8 = 2;
/// No answer now: the same may succeed later.
pub const UNREACHABLE: u8 = 3;
/// The answer is no: the same will not succeed until something is changed.
pub const REFUSED: u8 = 4;
pub const PARTIAL: u8 = 5;

/// An error that a program can end with.
pub trait ExitCode {
    fn exit_code(&self) -> u8;
}

impl ExitCode for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Embedded(error) => error.exit_code(),
            Self::Migrate(error) => error.exit_code(),
            Self::Demo(error) => error.exit_code(),
            Self::Database(error) => error.exit_code(),
            Self::NotOrders(_) => REFUSED,
        }
    }
}

impl ExitCode for db::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => USAGE,
            Self::Unreachable { .. }
            | Self::Login(_)
            | Self::NoDatabase(_)
            | Self::Busy(_)
            | Self::Tls(_)
            | Self::TimedOut(_)
            | Self::Stalled(_)
            | Self::Exhausted(_)
            | Self::Cancelled
            | Self::Again(_)
            | Self::NoRoom(_)
            | Self::Lost(_)
            | Self::Io(_)
            | Self::Protocol(_)
            | Self::WorkerCrashed
            | Self::PoolTimedOut
            | Self::PoolClosed => UNREACHABLE,
            Self::Pooled(_)
            | Self::PooledToo(_)
            | Self::SettingsRefused(_)
            | Self::Standby(_)
            | Self::NotPermitted(_)
            | Self::ReadOnly(_)
            | Self::Unrecorded(_)
            | Self::Conflict(_)
            | Self::Duplicate { .. }
            | Self::Locked(_)
            | Self::MissingTable(_)
            | Self::Spelt { .. }
            | Self::Ambiguous { .. }
            | Self::Tenants { .. }
            | Self::Server { .. }
            | Self::Inconsistent { .. }
            | Self::MissingRow(_)
            | Self::Migration(_)
            | Self::Defect(_) => REFUSED,
        }
    }
}

impl ExitCode for embedded::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Absent { .. } | Self::NothingNewer { .. } => NOTHING,
            Self::InUse => REFUSED,
            _ => UNREACHABLE,
        }
    }
}

impl ExitCode for migrate::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Database(error) => error.exit_code(),
            _ => REFUSED,
        }
    }
}

impl ExitCode for demo::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Invalid(_) => USAGE,
            Self::Database(error) | Self::Planting(error) => error.exit_code(),
            Self::Migrate(error) => error.exit_code(),
            _ => REFUSED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_error_keeps_its_code() {
        let lost = || db::Error::Lost("reset".to_owned());
        let missing = || db::Error::MissingRow(Some("mt_streams"));
        for (error, code) in [(lost as fn() -> db::Error, UNREACHABLE), (missing, REFUSED)] {
            assert_eq!(error().exit_code(), code);
            assert_eq!(Error::Database(error()).exit_code(), code);
            assert_eq!(Error::Migrate(migrate::Error::Database(error())).exit_code(), code);
            assert_eq!(Error::Demo(demo::Error::Planting(error())).exit_code(), code);
        }
    }
}
