//! The table of operations: the only list of what can be done and what it is called.

mod by_hand;
mod entries;
mod rights;
mod spec;

pub use self::spec::{
    Choice, Entry, Field, Input, Leaving, List, Reason, Risk, Spec, StepKind, Target,
};
use self::spec::{
    Leaving::{Finishes, Pauses, Stops},
    Risk::{Change, Destroy},
    StepKind::{Batches, BrokerMessages, OneTransaction},
};
pub use self::{by_hand::by_hand, rights::Right};

const STREET: Field = Field::line("street", "street", "up to 50 characters", "--street");
const CITY: Field = Field::line("city", "city", "up to 50 characters", "--city");
const PROVINCE: Field = Field::line("province", "province", "up to 50 characters", "--province");
const DAYS: Field = Field::line("days", "older than", "days", "--older-than");

/// What most operations have in common: one transaction about one thing.
const ONE: Spec = Spec {
    kind: Kind::CompleteOrder,
    name: "",
    title: "",
    word: "",
    risk: Change,
    target: Target::Order,
    steps: OneTransaction,
    bulk: false,
    leaving: Finishes,
    verb: "",
    undo: "",
    fields: &[],
    rights: &[],
    reason: Reason::Optional,
    menu: &[],
};

/// What work with the broker has in common.
const BROKER: Spec = Spec {
    risk: Destroy,
    target: Target::ErrorQueues,
    steps: BrokerMessages,
    bulk: true,
    leaving: Stops,
    reason: Reason::Needed,
    ..ONE
};

/// What bulk operations have in common.
const BATCHES: Spec = Spec { risk: Destroy, steps: Batches, bulk: true, leaving: Pauses, ..ONE };

/// What work on one's own practice data has in common.
const DEMO: Spec = Spec { target: Target::DemoData, reason: Reason::NotAsked, ..ONE };

/// Makes the kinds of operations and the table from the same rows: a row is called as its kind.
macro_rules! operations {
    ($($kind:ident { $($row:tt)* },)*) => {
        /// The operations there are, in the order of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($kind,)*
        }

        /// Every operation. A row stands at the place of its [`Kind`].
        pub const OPERATIONS: &[Spec] =
            &[$(Spec { kind: Kind::$kind, name: stringify!($kind), $($row)* },)*];
    };
}

operations! {
    CompleteOrder {
        rights: rights::EVENT,
        title: "Complete a New order",
        word: "COMPLETE",
        risk: Destroy,
        verb: "order complete",
        undo: "none: a completed order stays completed",
        menu: entries::COMPLETE_ORDER,
        ..ONE
    },
    CancelOrder {
        rights: rights::EVENT,
        title: "Cancel a New order",
        word: "CANCEL",
        risk: Destroy,
        verb: "order cancel",
        undo: "none once sent; compensation offered: place the order again",
        reason: Reason::InHistory,
        menu: entries::CANCEL_ORDER,
        ..ONE
    },
    DeleteOrder {
        rights: rights::ORDER,
        title: "Mark an order as deleted",
        word: "DELETE",
        verb: "order delete",
        undo: "restore the order",
        menu: entries::DELETE_ORDER,
        ..ONE
    },
    RestoreOrder {
        rights: rights::ORDER,
        title: "Take the deletion of an order back",
        word: "RESTORE",
        verb: "order restore",
        undo: "delete the order again",
        menu: entries::RESTORE_ORDER,
        ..ONE
    },
    UpdateBuyerAddress {
        rights: rights::BUYER,
        title: "Give a buyer another address",
        word: "CHANGE",
        target: Target::Buyer,
        verb: "buyer address",
        undo: "change the address back",
        fields: &[STREET, CITY, PROVINCE],
        menu: entries::UPDATE_BUYER_ADDRESS,
        ..ONE
    },
    CreateOrder {
        rights: rights::CREATE,
        title: "Place an order",
        word: "CREATE",
        verb: "order create",
        undo: "none once sent; compensation offered: cancel the order",
        fields: &[
            Field {
                name: "buyer",
                label: "buyer",
                hint: "a part of the name, or the end of the id",
                input: Input::Search,
                option: Some("--buyer"),
                filled: "",
            },
            Field {
                name: "lines",
                label: "lines",
                hint: "",
                input: Input::Grid(&[("book id", 38), ("quantity", 10), ("price", 14)]),
                option: Some("--line"),
                filled: "",
            },
            Field { name: "total", label: "total", hint: "", input: Input::Told, option: None, filled: "" },
            Field::line("note", "note", "may be empty; up to 500 characters", "--note"),
        ],
        menu: entries::CREATE_ORDER,
        ..ONE
    },
    CreateBuyer {
        rights: rights::NEW_BUYER,
        title: "Make a buyer",
        word: "CREATE",
        target: Target::Buyer,
        verb: "buyer create",
        undo: "none: buyers are never deleted, they are anonymised",
        fields: &[
            Field::line("name", "name", "up to 20 characters", "--name"),
            STREET,
            CITY,
            PROVINCE,
        ],
        menu: entries::CREATE_BUYER,
        ..ONE
    },
    RepairMessage {
        rights: rights::REPAIR,
        title: "Change the texts of a pending message",
        word: "REPAIR",
        target: Target::OutboxMessage,
        verb: "messages repair",
        undo: "repair it again: the message as it was is kept",
        fields: &[
            Field::line("destination", "send to", "rabbitmq://host/exchange", "--destination"),
            Field::line("headers", "headers", "a JSON object", "--headers"),
            Field::line(
                "properties",
                "properties",
                "a JSON object; its exchange follows the destination",
                "--properties",
            ),
            Field::line(
                "body",
                "body",
                "the whole envelope, with its messageId; empty leaves it",
                "--body",
            ),
        ],
        menu: entries::REPAIR_MESSAGE,
        ..ONE
    },
    QuarantineMessage {
        rights: rights::QUARANTINE,
        title: "Take a message out of the outbox, with a copy",
        word: "QUARANTINE",
        target: Target::OutboxMessage,
        verb: "messages quarantine",
        undo: "requeue the copy: it goes to the end of the line",
        menu: entries::QUARANTINE_MESSAGE,
        ..ONE
    },
    HoldOutbox {
        rights: rights::HOLD,
        title: "Keep the relay away from an outbox",
        word: "HOLD",
        target: Target::Outbox,
        verb: "messages hold",
        undo: "release the outbox",
        menu: entries::HOLD_OUTBOX,
        ..ONE
    },
    ReleaseOutbox {
        rights: rights::RELEASE,
        title: "Let the relay have a held outbox again",
        word: "RELEASE",
        target: Target::Outbox,
        verb: "messages release",
        undo: "hold the outbox again, as far as it has not left by then",
        menu: entries::RELEASE_OUTBOX,
        ..ONE
    },
    RequeueMessage {
        rights: rights::REQUEUE,
        title: "Put an archived message, or one from a file, into the outbox",
        word: "REQUEUE",
        target: Target::ArchivedMessage,
        verb: "messages requeue",
        undo: "quarantine it again, until it has left; none once sent",
        menu: entries::REQUEUE_MESSAGE,
        ..ONE
    },
    PurgeOutbox {
        rights: rights::PURGE_OUTBOX,
        title: "Remove what outboxes delivered, with copies",
        word: "PURGE",
        target: Target::Outbox,
        verb: "messages purge",
        undo: "none: the outboxes stay removed; a copy of each message is kept, and requeueing it sends it again",
        fields: &[DAYS.filled("7")],
        menu: entries::PURGE_OUTBOX,
        ..BATCHES
    },
    PurgeInbox {
        rights: rights::PURGE_INBOX,
        title: "Remove delivered inbox rows",
        word: "PURGE",
        target: Target::InboxRows,
        verb: "inbox purge",
        undo: ROWS_ARE_GONE,
        fields: &[DAYS.filled("30")],
        menu: entries::PURGE_INBOX,
        ..BATCHES
    },
    PurgeConsumed {
        rights: rights::PURGE_CONSUMED,
        title: "Remove delivered messages of consumers, which stop the service's inbox clean-up",
        word: "PURGE",
        target: Target::Outbox,
        verb: "messages purge-consumed",
        undo: "none: a copy of each message is kept, and requeueing it sends it again",
        fields: &[DAYS.filled("1")],
        menu: entries::PURGE_CONSUMED,
        ..BATCHES
    },
    RemoveFailedInbox {
        rights: rights::PURGE_INBOX,
        title: "Remove inbox rows that were never consumed",
        word: "REMOVE",
        target: Target::InboxRows,
        verb: "inbox remove-failed",
        undo: ROWS_ARE_GONE,
        fields: &[DAYS.filled("1")],
        menu: entries::REMOVE_FAILED_INBOX,
        ..BATCHES
    },
    ReplayErrors {
        title: "Publish messages of error queues to the queues they came from",
        word: "REPLAY",
        verb: "errors replay",
        undo: "none: its consumer takes it; what fails again comes back to the error queue",
        fields: &[Field::line("rate", "per second", "messages at most", "--rate").filled("20")],
        menu: entries::REPLAY_ERRORS,
        ..BROKER
    },
    DiscardErrors {
        rights: rights::KEEP,
        title: "Take messages out of error queues, with copies",
        word: "DISCARD",
        verb: "errors discard",
        undo: "copies can be put back into their queue: kept, x, b; errors restore",
        menu: entries::DISCARD_ERRORS,
        ..BROKER
    },
    DrainOutbox {
        rights: rights::DELIVER,
        title: "Deliver what is pending, now",
        word: "DRAIN",
        target: Target::Outbox,
        verb: "messages drain",
        undo: "none: what is delivered is delivered",
        menu: entries::DRAIN_OUTBOX,
        ..BROKER
    },
    RestoreErrors {
        rights: rights::RESTORE,
        title: "Put a discarded message back into its error queue",
        word: "RESTORE",
        risk: Change,
        target: Target::ArchivedMessage,
        bulk: false,
        verb: "errors restore",
        undo: "discard it again: a copy is kept then, too",
        menu: entries::RESTORE_ERRORS,
        ..BROKER
    },
    ApproveOperation {
        rights: rights::STEER,
        title: "Approve a bulk operation that somebody else began, with another database login",
        word: "APPROVE",
        target: Target::Operation,
        verb: "op approve",
        undo: "cancel the operation, as far as it was not run by then",
        reason: Reason::Needed,
        menu: entries::APPROVE_OPERATION,
        ..ONE
    },
    ResumeOperation {
        title: "Run a bulk operation, or go on with it where it stopped",
        word: "RESUME",
        target: Target::Operation,
        verb: "op resume",
        undo: "pause or cancel it; what is done stays done",
        menu: entries::RESUME_OPERATION,
        ..BATCHES
    },
    PauseOperation {
        rights: rights::STEER,
        title: "Pause a bulk operation after the batch under way, whoever runs it",
        word: "PAUSE",
        target: Target::Operation,
        verb: "op pause",
        undo: "resume the operation",
        menu: entries::PAUSE_OPERATION,
        ..ONE
    },
    CancelOperation {
        rights: rights::STEER,
        title: "End a bulk operation early",
        word: "CANCEL",
        risk: Destroy,
        target: Target::Operation,
        verb: "op cancel",
        undo: "none; what is left can be done by a new operation",
        reason: Reason::Needed,
        menu: entries::CANCEL_OPERATION,
        ..ONE
    },
    Attach {
        title: "Make schema orderscope in a service's database and record whose it is",
        word: "ATTACH",
        target: Target::Database,
        verb: "attach",
        undo: "none; schema orderscope can be dropped by its owner, with every record in it",
        fields: PUBLISHER,
        ..ONE
    },
    HandOver {
        title: "Give a database of Orderscope's own to the service",
        word: "HAND OVER",
        risk: Destroy,
        target: Target::Database,
        verb: "hand-over",
        undo: "none: the database stays the service's",
        fields: PUBLISHER,
        ..ONE
    },
    Migrate {
        title: "Make an empty database Orderscope's own, or bring one of its own up to date",
        word: "MIGRATE",
        target: Target::Database,
        verb: "migrate",
        undo: "none: a schema never goes back to an older step",
        ..ONE
    },
    LoadDemo {
        title: "Fill an empty database with demo data, or replace the demo data in it",
        word: "LOAD",
        risk: Destroy,
        verb: "demo load",
        undo: "none: the same options make the same demo data again",
        ..DEMO
    },
    PlantScenario {
        title: "Plant trouble in demo data, to practise on",
        word: "PLANT",
        verb: "demo scenario",
        undo: "demo heal takes it out again",
        ..DEMO
    },
    HealScenario {
        title: "Take planted trouble out of demo data",
        word: "HEAL",
        verb: "demo heal",
        undo: "plant it again",
        ..DEMO
    },
    ResetPrivate {
        title: "Remove the private database with everything in it",
        word: "RESET",
        risk: Destroy,
        target: Target::PrivateServer,
        verb: "db reset",
        undo: "none: the data and its audit log are gone",
        ..DEMO
    },
    UpgradePrivate {
        title: "Move the private database to the newest PostgreSQL found",
        word: "UPGRADE",
        target: Target::PrivateServer,
        verb: "db upgrade",
        undo: "none: the old server's data is removed once the new one has started",
        ..DEMO
    },
}

const PUBLISHER: &[Field] =
    &[Field::line("publisher", "publisher", "service, outbox or unknown", "--publisher")];

const ROWS_ARE_GONE: &str = "none; the operation's list names every row, its journal has a hash over what they held: a \
     message that comes again creates its row again";

impl Kind {
    /// Its row of the table.
    #[must_use]
    pub const fn spec(self) -> &'static Spec {
        &OPERATIONS[self as usize]
    }
}

impl Spec {
    /// The row of an operation by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|spec| spec.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::List::{Archive, Errors, Inbox, Operations, Orders, Outboxes};
    use super::*;

    #[test]
    fn a_row_stands_at_the_place_of_its_kind_and_is_called_like_it() {
        for spec in OPERATIONS {
            assert_eq!(spec.kind.spec(), spec);
            assert_eq!(format!("{:?}", spec.kind), spec.name);
            for text in [spec.title, spec.word, spec.verb, spec.undo] {
                assert!(!text.is_empty(), "{}", spec.name);
            }
            assert_eq!(Spec::named(spec.name), Some(spec));
        }
    }

    #[test]
    fn no_two_lines_of_a_menu_have_the_same_key() {
        let entries =
            || OPERATIONS.iter().flat_map(|spec| spec.menu.iter().map(move |e| (spec, e)));
        for list in [Orders, Errors, Operations] {
            let keys: Vec<_> =
                entries().filter(|(_, e)| e.list == list).map(|(_, e)| e.key).collect();
            assert_eq!(
                keys.iter().collect::<BTreeSet<_>>().len(),
                keys.len(),
                "{list:?}: {keys:?}"
            );
        }
        // On every other list all that is done in the database is offered, and what its own list does with the broker.
        for list in [Outboxes, Inbox, Archive] {
            let offered = entries().filter(|(spec, e)| match spec.steps {
                OneTransaction | Batches => !matches!(e.list, Orders | Errors | Operations),
                BrokerMessages => e.list == list,
            });
            let keys: Vec<_> = offered.map(|(_, e)| e.key).collect();
            assert_eq!(
                keys.iter().collect::<BTreeSet<_>>().len(),
                keys.len(),
                "{list:?}: {keys:?}"
            );
        }
    }
}
