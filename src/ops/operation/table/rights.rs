//! The rights on tables that an operation needs beside reading them and beside those of the audit log, which every
//! operation needs. A test runs the operations with these and no others.

/// Privileges, and the table or sequence they are on; tables of Orderscope's own with their schema.
pub type Right = (&'static str, &'static str);

/// An event is appended, and what goes with it is written.
pub(super) const EVENT: &[Right] = &[
    ("UPDATE", "orders"),
    ("INSERT, UPDATE", "mt_streams"),
    ("INSERT", "mt_events"),
    ("USAGE", "mt_events_sequence"),
    ("INSERT, UPDATE", "mt_doc_ordersummaryview"),
    ("INSERT", "outbox_state"),
    ("INSERT", "outbox_message"),
];

pub(super) const CREATE: &[Right] = &[
    ("INSERT, UPDATE", "orders"),
    ("INSERT", "order_items"),
    ("UPDATE", "buyers"),
    ("INSERT, UPDATE", "mt_streams"),
    ("INSERT", "mt_events"),
    ("USAGE", "mt_events_sequence"),
    ("INSERT, UPDATE", "mt_doc_ordersummaryview"),
    ("INSERT", "outbox_state"),
    ("INSERT", "outbox_message"),
];

pub(super) const ORDER: &[Right] = &[("UPDATE", "orders")];
pub(super) const NEW_BUYER: &[Right] = &[("INSERT", "buyers")];
pub(super) const BUYER: &[Right] = &[("UPDATE", "buyers")];

const COPY: Right = ("INSERT", "orderscope.kept_messages");

pub(super) const REPAIR: &[Right] =
    &[("UPDATE", "outbox_state"), ("UPDATE", "outbox_message"), ("UPDATE", "inbox_state"), COPY];
pub(super) const QUARANTINE: &[Right] = &[
    ("UPDATE, DELETE", "outbox_state"),
    ("UPDATE, DELETE", "outbox_message"),
    ("UPDATE", "inbox_state"),
    ("DELETE", "orderscope.held_outboxes"),
    COPY,
];
pub(super) const HOLD: &[Right] =
    &[("UPDATE", "outbox_state"), ("INSERT", "orderscope.held_outboxes")];
pub(super) const RELEASE: &[Right] = &[("DELETE", "orderscope.held_outboxes")];
pub(super) const REQUEUE: &[Right] = &[
    ("INSERT", "outbox_state"),
    ("INSERT", "outbox_message"),
    ("UPDATE", "orderscope.kept_messages"),
];

const LIST: [Right; 2] = [
    ("INSERT, UPDATE", "orderscope.operations, orderscope.operation_items"),
    ("INSERT", "orderscope.operation_batches"),
];

pub(super) const PURGE_OUTBOX: &[Right] =
    &[("UPDATE, DELETE", "outbox_state"), ("DELETE", "outbox_message"), COPY, LIST[0], LIST[1]];
pub(super) const PURGE_CONSUMED: &[Right] =
    &[("UPDATE", "inbox_state"), ("DELETE", "outbox_message"), COPY, LIST[0], LIST[1]];
pub(super) const PURGE_INBOX: &[Right] = &[("UPDATE, DELETE", "inbox_state"), LIST[0], LIST[1]];
pub(super) const STEER: &[Right] = &[LIST[0]];
pub(super) const KEEP: &[Right] = &[COPY];
pub(super) const RESTORE: &[Right] = &[("UPDATE", "orderscope.kept_messages")];
pub(super) const DELIVER: &[Right] = &[
    ("UPDATE, DELETE", "outbox_state, outbox_message, inbox_state"),
    ("UPDATE", "orderscope.database"),
];
