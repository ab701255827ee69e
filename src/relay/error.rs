//! Errors of the broker, in words an operator can act on.

use lapin::ErrorKind;

/// Why a broker did not take something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "the broker's URL cannot be read: {0}; it is written amqp://USER@HOST:PORT/VIRTUALHOST"
    )]
    Url(String),
    #[error(
        "the management interface's address cannot be used: {0}; it is written http://HOST:PORT"
    )]
    ManagementUrl(String),
    #[error("the management interface at {place} did not answer: {why}")]
    Management { place: String, why: String },
    #[error(
        "cannot reach RabbitMQ at {place}: {why}; check that it runs and that the address is right"
    )]
    Unreachable { place: String, why: String },
    #[error(
        "RabbitMQ at {place} refused the login of {user}: {why}; check user, password and its permission \
         on the virtual host"
    )]
    Login { place: String, user: String, why: String },
    #[error("there is no exchange {exchange:?} (404: {why}); nobody has ever declared it")]
    NoExchange { exchange: String, why: String },
    #[error(
        "{what} exists with other properties than the address says (406: {why}); remove it or correct the address"
    )]
    Mismatch { what: String, why: String },
    #[error(
        "not permitted on the broker (403: {why}); give this user configure and write permission"
    )]
    Refused { why: String },
    #[error("the broker refuses this message ({why})")]
    Message { why: String },
    #[error("the broker did not take the message (nack); its queue may be full, it is tried again")]
    Nacked,
    #[error(
        "RabbitMQ at {place} takes no messages at present: its memory or disk is short (see `rabbitmqctl \
         list_alarms`); it goes on by itself when that ends"
    )]
    Blocked { place: String },
    #[error(
        "RabbitMQ at {place} has confirmed none of {messages} for {seconds} s: it is frozen or overloaded; nothing \
         more is sent before it answers"
    )]
    Silent { place: String, messages: String, seconds: u64 },
    #[error("lost the connection to RabbitMQ: {0}; it is opened again")]
    Lost(String),
}

impl Error {
    /// Whether it is about this one message or its exchange, and the connection still serves others.
    #[must_use]
    pub const fn is_about_the_message(&self) -> bool {
        matches!(
            self,
            Self::NoExchange { .. }
                | Self::Mismatch { .. }
                | Self::Refused { .. }
                | Self::Message { .. }
                | Self::Nacked
        )
    }

    /// Whether trying again may help without anyone doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Lost(_)
                | Self::Nacked
                | Self::Blocked { .. }
                | Self::Silent { .. }
        )
    }

    /// An error while `what` (an exchange, a queue) was declared.
    pub(super) fn declaring(error: &lapin::Error, what: &str, name: &str) -> Self {
        match code(error) {
            Some((404, why)) => Self::NoExchange { exchange: name.to_owned(), why },
            Some((406 | 405, why)) => Self::Mismatch { what: format!("{what} {name:?}"), why },
            Some((403, why)) => Self::Refused { why },
            _ => Self::Lost(error.to_string()),
        }
    }

    /// An error of the channel that publishes: it is closed and what was not confirmed is unknown. Some
    /// messages make the broker end the whole connection (501 to 506, 530); being stopped (320) is not about
    /// a message.
    pub(super) fn publishing(error: &lapin::Error) -> Self {
        match code(error) {
            Some((404, why)) => Self::NoExchange { exchange: named(&why), why },
            Some((403, why)) => Self::Refused { why },
            Some((311 | 406 | 501..=506 | 530, why)) => Self::Message { why },
            _ => Self::Lost(error.to_string()),
        }
    }

    pub(super) fn connecting(error: &lapin::Error, place: &str, user: &str) -> Self {
        let (place, user) = (place.to_owned(), user.to_owned());
        match code(error) {
            Some((403 | 530 | 404, why)) => Self::Login { place, user, why },
            _ => Self::Unreachable { place, why: error.to_string() },
        }
    }
}

/// The broker's reply code and text, if it gave one.
fn code(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(told) => {
            Some((told.get_id(), told.get_message().as_str().to_owned()))
        }
        _ => None,
    }
}

/// The exchange that a broker's text names: `NOT_FOUND - no exchange 'x' in vhost '/'`.
fn named(why: &str) -> String {
    why.split('\'').nth(1).unwrap_or_default().to_owned()
}
