//! The arguments of `messages` and `inbox`.

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use super::{Drain, InboxAction, MessageAction, OutputArg};

#[derive(Debug, Subcommand)]
pub enum Messages {
    /// Backlog, ages, groups and findings; ends with code 1 on an alert
    Status {
        #[command(flatten)]
        output: OutputArg,
    },
    /// List messages, without their bodies
    List {
        /// Which messages
        #[arg(long, value_enum, default_value_t = MessageView::Pending)]
        view: MessageView,
        #[command(flatten)]
        only: Only,
        /// At most this many rows (1 to 10000)
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        #[command(flatten)]
        output: OutputArg,
    },
    /// One message, or a copy of one, with its envelope and body, personal data covered
    Show {
        /// Its sequence number or message id
        #[arg(required_unless_present = "kept")]
        id: Option<String>,
        /// The copy of this number (`messages list --view kept`)
        #[arg(long, value_name = "NUMBER", conflicts_with = "id")]
        kept: Option<i64>,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Why messages do not leave: the rules that fired, with their evidence and the next step
    Why {
        /// Only what concerns this message: its sequence number or message id
        id: Option<String>,
        #[command(flatten)]
        output: OutputArg,
    },
    /// How the backlog went: what consoles and samplers stored, a row a slice of time
    History {
        /// So many days back (1 to 366); the older, the coarser
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Deliver now: one outbox, all that are pending, or a half-done consumer's
    Drain(Drain),
    #[command(flatten)]
    OutboxAction(MessageAction),
}

/// Only some of the messages; what is given must all hold.
#[derive(Debug, Clone, Default, Args)]
pub struct Only {
    /// Only messages of this type, or that can be received as it: its URN, or the end of it (`PlaceOrder`)
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only what goes there: an address, or the end of its exchange's name; `none`: without a destination
    #[arg(long, value_name = "DESTINATION")]
    pub to: Option<String>,
    /// Only this outbox
    #[arg(long, value_name = "ID")]
    pub outbox: Option<Uuid>,
}

/// The lists of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MessageView {
    /// Not recorded as delivered, in the order of delivery
    Pending,
    /// Recorded as delivered and still there, newest first
    Delivered,
    /// Without an owner: nothing will ever send them
    Orphan,
    /// Pending past their expiration time
    Expired,
    /// Pending with no destination, or one that cannot be used
    Undeliverable,
    /// Copies of what was taken out or changed, newest first
    Kept,
    /// Outboxes that an operator holds
    Held,
}

#[derive(Debug, Subcommand)]
pub enum Inbox {
    /// Sums per consumer: failing, half-done, duplicates, latency; ends with code 1 on an alert
    Status {
        #[command(flatten)]
        output: OutputArg,
    },
    /// List inbox rows, newest first
    List {
        /// Which rows
        #[arg(long, value_enum, default_value_t = InboxRows::All)]
        view: InboxRows,
        /// At most this many rows (1 to 10000)
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        #[command(flatten)]
        output: OutputArg,
    },
    /// What each consumer received in the last 24 hours, hour by hour
    Hours {
        #[command(flatten)]
        output: OutputArg,
    },
    #[command(flatten)]
    OutboxAction(InboxAction),
}

/// The lists of inbox rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InboxRows {
    All,
    /// Received, never handled
    Failing,
    /// Handled, their messages not recorded as delivered
    HalfDone,
    /// Received again after they were done
    Duplicates,
}
