//! An operation with its values: which row of the table, and on what.

use std::num::NonZeroU32;

use serde_json::Value;

use super::table::{Kind, Spec};
pub use crate::db::settings::Publisher;
use crate::{
    domain::{decide::Command, outbox_action::OutboxAction},
    ops::{
        delivery::Scope,
        error_queue::{ErrorAction, Pick},
    },
};

/// Something that can be planned and run. Ids of new things are drawn by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A command about an order or a buyer.
    Order(Command),
    /// Something done by hand to the outbox or the inbox.
    Outbox(OutboxAction),
    /// A bulk operation over a list that is frozen when it starts.
    Bulk(Bulk),
    /// Approves the bulk operation of this number.
    Approve(i64),
    /// Runs the bulk operation of this number, or goes on with it where it stopped.
    Resume(i64),
    /// Pauses the bulk operation of this number after the batch under way.
    Pause(i64),
    /// Ends the bulk operation of this number early.
    Cancel(i64),
    /// Something done to messages of error queues.
    Errors(ErrorWork),
    /// Puts the discarded message of this copy back into its error queue.
    Restore(i64),
    /// Delivers what is pending there.
    Drain(Scope),
    /// Makes schema `orderscope` in a service's database.
    Attach { publisher: Option<Publisher> },
    /// Gives a database of our own to the service.
    HandOver { publisher: Option<Publisher> },
    /// Brings the schema of a database of our own up to date.
    Migrate,
    /// What is done by [`super::Work`], with the options of its command line.
    Work { kind: Kind, options: Vec<String> },
}

/// A bulk operation, as its record keeps it: its kind is made from that, now and whenever it is resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    pub kind: Kind,
    pub parameters: Value,
    /// Items a second, at most.
    pub rate: Option<NonZeroU32>,
}

/// What is done to which messages of error queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorWork {
    pub action: ErrorAction,
    pub pick: Pick,
    /// At most so many a second; none: 20 replays, or discarding as fast as it goes.
    pub rate: Option<u16>,
}

/// Messages replayed a second, unless someone says otherwise.
pub const RATE: u16 = 20;

impl Operation {
    /// Which row of the table it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Order(command) => match command {
                Command::CreateOrder { .. } => Kind::CreateOrder,
                Command::CompleteOrder { .. } => Kind::CompleteOrder,
                Command::CancelOrder { .. } => Kind::CancelOrder,
                Command::DeleteOrder { .. } => Kind::DeleteOrder,
                Command::RestoreOrder { .. } => Kind::RestoreOrder,
                Command::CreateBuyer { .. } => Kind::CreateBuyer,
                Command::UpdateBuyerAddress { .. } => Kind::UpdateBuyerAddress,
            },
            Self::Outbox(action) => match action {
                OutboxAction::Hold { .. } => Kind::HoldOutbox,
                OutboxAction::Release { .. } => Kind::ReleaseOutbox,
                OutboxAction::Repair { .. } => Kind::RepairMessage,
                OutboxAction::Quarantine { .. } => Kind::QuarantineMessage,
                OutboxAction::Requeue { .. } => Kind::RequeueMessage,
            },
            Self::Bulk(bulk) => bulk.kind,
            Self::Approve(_) => Kind::ApproveOperation,
            Self::Resume(_) => Kind::ResumeOperation,
            Self::Pause(_) => Kind::PauseOperation,
            Self::Cancel(_) => Kind::CancelOperation,
            Self::Errors(work) => match work.action {
                ErrorAction::Replay => Kind::ReplayErrors,
                ErrorAction::Discard => Kind::DiscardErrors,
            },
            Self::Restore(_) => Kind::RestoreErrors,
            Self::Drain(_) => Kind::DrainOutbox,
            Self::Attach { .. } => Kind::Attach,
            Self::HandOver { .. } => Kind::HandOver,
            Self::Migrate => Kind::Migrate,
            Self::Work { kind, .. } => *kind,
        }
    }

    /// Its row of the table.
    #[must_use]
    pub const fn spec(&self) -> &'static Spec {
        self.kind().spec()
    }

    /// The order it is about.
    #[must_use]
    pub const fn order(&self) -> Option<crate::domain::id::OrderId> {
        match self {
            Self::Order(command) => command.order(),
            _ => None,
        }
    }
}
