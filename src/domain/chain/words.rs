//! The chain in words: labels of nodes, marks and reasons of hops.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Match, Node, Proof};
use crate::domain::{
    id::short,
    outbox::{Delivery, Owner},
};

impl Proof {
    pub(super) fn proven(columns: &'static str, value: impl fmt::Display) -> Self {
        Self::Proven(vec![Match { columns, value: value.to_string() }])
    }

    /// `proven`, `inferred`, `absent` or `unknown`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Proven(_) => "proven",
            Self::Inferred(_) => "inferred",
            Self::Absent(_) => "absent",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The arrow: its shape distinguishes proven from inferred hops without colour.
    #[must_use]
    pub const fn mark(&self) -> &'static str {
        match self {
            Self::Proven(_) => "─▶",
            Self::Inferred(_) => "┄▶",
            Self::Absent(_) => "─✗",
            Self::Unknown(_) => "┄?",
        }
    }

    /// What proves it, or why it is believed, absent or not known.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Proven(matches) => {
                let told = matches.iter().map(ToString::to_string);
                told.collect::<Vec<_>>().join("; ")
            }
            Self::Inferred(why) | Self::Absent(why) | Self::Unknown(why) => why.clone(),
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            return f.write_str(self.columns);
        }
        write!(f, "{} ({})", self.columns, self.value)
    }
}

impl Node {
    /// What kind of link it is, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Inbox(_) => "inbox",
            Self::Event { .. } => "event",
            Self::Message { .. } => "message",
            Self::MissingMessage { .. } => "missing-message",
            Self::Parent(_) => "outbox",
            Self::MissingParent => "missing-outbox",
            Self::Broker { .. } => "broker",
            Self::Elsewhere => "other-services",
        }
    }

    /// The node in a few words; text from the database as it is.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Caller => "caller".to_owned(),
            Self::Inbox(row) => format!("inbox {}", row.message.short()),
            Self::Event { version, title, .. } => format!("v{version} {title}"),
            Self::Message { sequence, contract, .. } => format!("{sequence} {contract}"),
            Self::MissingMessage { contract } => format!("{contract}: no row"),
            Self::Parent(Owner::Bus(id)) => format!("outbox {}", id.short()),
            Self::Parent(Owner::Consumer { message, .. }) => {
                format!("outbox of inbox {}", message.short())
            }
            Self::Parent(Owner::Nobody) | Self::MissingParent => "no outbox".to_owned(),
            Self::Broker { .. } => "broker".to_owned(),
            Self::Elsewhere => "other services".to_owned(),
        }
    }

    /// The id of the row behind it.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Inbox(row) => Some(row.message.to_string()),
            Self::Event { id, .. } => Some(id.to_string()),
            Self::Message { id, .. } => Some(id.to_string()),
            Self::Parent(Owner::Bus(id)) => Some(id.to_string()),
            Self::Parent(Owner::Consumer { message, .. }) => Some(message.to_string()),
            _ => None,
        }
    }

    /// When it happened, as far as the row tells: consumed, stored, published, delivered.
    #[must_use]
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Inbox(row) => Some(row.consumed.unwrap_or(row.received)),
            Self::Event { at, .. } | Self::Message { at, .. } => Some(*at),
            Self::Broker { delivered, .. } => *delivered,
            _ => None,
        }
    }

    /// Where it stands, as far as the row tells.
    #[must_use]
    pub fn state(&self) -> Option<String> {
        match self {
            Self::Inbox(row) => {
                let passes = match row.passes {
                    1 => "1 pass".to_owned(),
                    passes => format!("{passes} passes"),
                };
                let state = match (row.consumed, row.delivered) {
                    (None, _) => "received, not consumed",
                    (Some(_), None) => "consumed, its messages not delivered",
                    (Some(_), Some(_)) => "consumed, its messages delivered",
                };
                Some(format!("{state}, {passes}, consumer {}", short(row.consumer.0)))
            }
            Self::Event { seq, .. } => Some(format!("seq {seq}")),
            Self::Broker { delivery, behind, .. } => Some(match (delivery, behind) {
                (Delivery::Pending, Some(head)) => format!("pending, behind {head}"),
                (delivery, _) => delivery.to_string(),
            }),
            _ => None,
        }
    }
}
