//! The lines of the console's menus: how each operation is offered, and what its form says.

use super::spec::{
    Choice::{All, Consumer, Group, Marked, NewId},
    Entry,
    List::{Archive, Errors, Inbox, Operations, Orders, Outboxes},
};

pub(super) const COMPLETE_ORDER: &[Entry] = &[Entry::new(
    Orders,
    'c',
    "complete the order",
    "Complete order {}",
    "Completes the order: it can neither be cancelled nor changed after.",
)];

pub(super) const CANCEL_ORDER: &[Entry] = &[Entry::new(
    Orders,
    'x',
    "cancel the order, with a reason",
    "Cancel order {}",
    "Cancels the order, for good. The reason is kept with the event.",
)];

pub(super) const DELETE_ORDER: &[Entry] = &[Entry::new(
    Orders,
    'd',
    "delete the order (softly: it can be restored)",
    "Delete order {}",
    "Hides the order from the service; no event is written. It can be restored.",
)];

pub(super) const RESTORE_ORDER: &[Entry] = &[Entry::new(
    Orders,
    'r',
    "restore the deleted order",
    "Restore order {}",
    "Takes the deletion back; no event is written.",
)];

pub(super) const UPDATE_BUYER_ADDRESS: &[Entry] = &[Entry::new(
    Orders,
    'a',
    "change the buyer's address",
    "New address of buyer {}",
    "Replaces all three parts; an empty one is cleared.",
)
.masked(
    "Replaces all three parts; an empty one is cleared. What is there now is masked: R shows it.",
)];

pub(super) const CREATE_ORDER: &[Entry] = &[Entry::new(
    Orders,
    'n',
    "new order",
    "New order",
    "A blank line ends the list. Lines never change after placing.",
)];

pub(super) const CREATE_BUYER: &[Entry] = &[Entry::new(
    Orders,
    'b',
    "new buyer",
    "New buyer",
    "A buyer is never deleted, only anonymised.",
)];

pub(super) const REPAIR_MESSAGE: &[Entry] = &[Entry::new(
    Outboxes,
    'd',
    "repair: set its destination, headers, properties or body",
    "Repair {}",
    "What is left as it is stays so. As it was, the message is kept as a copy.",
)
.masked("An empty field leaves what is there. Headers are masked: R shows them.")];

pub(super) const QUARANTINE_MESSAGE: &[Entry] = &[Entry::new(
    Outboxes,
    'x',
    "quarantine: take it out with a copy, so that those behind it leave",
    "Quarantine {}",
    "The message leaves the outbox and is kept whole; it can be requeued.",
)];

pub(super) const HOLD_OUTBOX: &[Entry] = &[Entry::new(
    Outboxes,
    'h',
    "hold its outbox: the relay leaves it alone",
    "Hold outbox {}",
    "Its messages stay where they are until somebody releases it.",
)];

pub(super) const RELEASE_OUTBOX: &[Entry] = &[Entry::new(
    Outboxes,
    'r',
    "release its outbox",
    "Release outbox {}",
    "The relay's next pass may take it.",
)];

pub(super) const REQUEUE_MESSAGE: &[Entry] = &[
    Entry::new(
        Archive,
        'e',
        "requeue the copy under its id",
        "Requeue {}",
        "It goes to the end of the line; inboxes that know its id drop it.",
    ),
    Entry::new(
        Archive,
        'n',
        "requeue the copy under another id: handled again by all",
        "Requeue {} under another id",
        "It goes to the end of the line; no inbox knows it: all handle it.",
    )
    .of(NewId),
];

pub(super) const PURGE_OUTBOX: &[Entry] = &[Entry::new(
    Outboxes,
    'p',
    "purge delivered outboxes",
    "Purge delivered outboxes",
    "Removes what is recorded as delivered, with copies; never by sent_time.",
)];

pub(super) const PURGE_CONSUMED: &[Entry] = &[Entry::new(
    Inbox,
    'm',
    "purge delivered messages of consumers",
    "Purge delivered messages of consumers",
    "They are copied first. The inbox rows stay: the service can clean them up afterwards.",
)];

pub(super) const PURGE_INBOX: &[Entry] = &[Entry::new(
    Inbox,
    'i',
    "purge the inbox",
    "Purge the inbox",
    "A message of theirs that comes once more is handled as a new one.",
)];

pub(super) const REMOVE_FAILED_INBOX: &[Entry] = &[Entry::new(
    Inbox,
    'f',
    "remove failed inbox rows",
    "Remove failed inbox rows",
    "Rows that were received, never consumed, and that nobody works on.",
)];

pub(super) const REPLAY_ERRORS: &[Entry] = &[
    Entry::new(
        Errors,
        'r',
        "replay this message to the queue it came from",
        "Replay {}",
        "It goes to the queue it came from. What may do its work again says so in the plan.",
    ),
    Entry::new(
        Errors,
        'm',
        "replay the marked messages",
        "Replay {}",
        "Each to the queue it came from. What may do its work again is left: only alone.",
    )
    .of(Marked),
    Entry::new(Errors, 'g', "replay what waits in this group", "Replay {}", ONLY_WAITING).of(Group),
    Entry::new(Errors, 'a', "replay everything that waits", "Replay {}", ONLY_WAITING).of(All),
];

pub(super) const DISCARD_ERRORS: &[Entry] = &[
    Entry::new(
        Errors,
        'd',
        "discard this message, a copy is kept",
        "Discard {}",
        "It leaves its queue; a copy is kept first.",
    ),
    Entry::new(
        Errors,
        's',
        "discard the marked messages, copies are kept",
        "Discard {}",
        "They leave their queues; a copy of each is kept first.",
    )
    .of(Marked),
    Entry::new(
        Errors,
        'o',
        "discard what is done in this group, copies are kept",
        "Discard {}",
        ONLY_DONE,
    )
    .of(Group),
    Entry::new(
        Errors,
        'e',
        "discard everything that is done, copies are kept",
        "Discard {}",
        ONLY_DONE,
    )
    .of(All),
];

pub(super) const DRAIN_OUTBOX: &[Entry] = &[
    Entry::new(
        Outboxes,
        'o',
        "drain its outbox: deliver what waits in it now",
        "Drain outbox {}",
        "The relay's own pass, now: its messages go out in their order.",
    ),
    Entry::new(
        Outboxes,
        'a',
        "drain everything: deliver all that is pending now",
        "Drain everything",
        "The relay's own pass, now, on everything that is pending; what is held stays.",
    )
    .of(All),
    Entry::new(
        Inbox,
        'o',
        "deliver for the half-done consumer: send what it produced",
        "Deliver for consumer {}",
        "Sends what the consumer produced, where its message can come from nowhere any more.",
    )
    .of(Consumer),
];

pub(super) const RESTORE_ERRORS: &[Entry] = &[Entry::new(
    Archive,
    'b',
    "put the copy back into the error queue it was discarded from",
    "Put {} back",
    "It lies in its error queue again, as it was; nothing handles it until it is replayed.",
)];

pub(super) const APPROVE_OPERATION: &[Entry] = &[Entry::new(
    Operations,
    'a',
    "approve it: somebody else began it",
    "Approve operation {}",
    "It may be run then. Needs another database login than the one that began it.",
)];

pub(super) const RESUME_OPERATION: &[Entry] = &[Entry::new(
    Operations,
    'r',
    "resume it where it stopped",
    "Resume operation {}",
    "Runs what is left of its list, from this console.",
)];

pub(super) const PAUSE_OPERATION: &[Entry] = &[Entry::new(
    Operations,
    'p',
    "pause it after the batch under way",
    "Pause operation {}",
    "Whoever runs it stops after the batch under way. It can be resumed.",
)];

pub(super) const CANCEL_OPERATION: &[Entry] = &[Entry::new(
    Operations,
    'c',
    "cancel it: what is left stays as it is",
    "Cancel operation {}",
    "Ends it for good. What is done stays done.",
)];

const ONLY_WAITING: &str =
    "Only what waits: a replay does its work for the first time. The rest stays.";

const ONLY_DONE: &str = "Only what its consumers have done; a copy of each is kept first.";
