//! Which operations change outboxes without delivering or publishing anything.

use super::{OPERATIONS, StepKind::BrokerMessages, Target};
use crate::ops::messages::ByHand;

/// The operations after which messages are gone, or there, though nothing was delivered or published: what they do is
/// no traffic.
#[must_use]
pub fn by_hand() -> ByHand {
    let named = |test: fn(Target) -> bool| {
        let all = OPERATIONS.iter().filter(|spec| spec.steps != BrokerMessages);
        all.filter(|spec| test(spec.target)).map(|spec| spec.name.to_owned()).collect()
    };
    let put_back = |target| target == Target::ArchivedMessage;
    ByHand {
        change: named(|target| {
            use Target::{ArchivedMessage, DemoData, Outbox, OutboxMessage};
            matches!(target, OutboxMessage | Outbox | ArchivedMessage | DemoData)
        }),
        put_back: named(put_back),
    }
}
