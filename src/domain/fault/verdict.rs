//! What a replay would do, judged by the inbox: nothing, the work for the first time, or the work again.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Consumers, Fault, Kind};
use crate::domain::{
    consumer::Consumer,
    endless,
    id::{ConsumerId, MessageId},
};

/// A fault dated further ahead of our clock than this has no usable time.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// A row of `inbox_state`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxRow {
    pub message: MessageId,
    pub consumer: ConsumerId,
    pub received: DateTime<Utc>,
    pub consumed: Option<DateTime<Utc>>,
    pub delivered: Option<DateTime<Utc>>,
}

/// How far back the inbox still holds every row: the service deletes delivered ones after its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxCoverage {
    /// Since then: now less the configured window, else the oldest delivered row seen.
    Since(DateTime<Utc>),
    /// No window is configured and no delivered row is there to tell it from.
    Unknown,
    /// The inbox could not be read.
    Unread,
}

/// The four answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Every consumer has done it: a replay is harmless and needless.
    Done,
    /// Not done: a replay runs the handler for the first time, or sends what it produced.
    Waiting,
    /// It may have completed: a replay may run the handler again.
    Unknown,
    /// The second of two deliveries, most likely; the first may have done it.
    ProbableDuplicate,
}

/// Why it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The inbox rows of its consumers are delivered; the last one then. `complete`: the consumers are the
    /// configured ones, else those that its headers and rows name.
    Delivered {
        last: DateTime<Utc>,
        complete: bool,
    },
    /// A row says received, not consumed.
    Failed {
        received: DateTime<Utc>,
    },
    /// Consumed, not delivered: only its own messages are still to be sent.
    HalfDone {
        consumed: DateTime<Utc>,
    },
    /// No row, and the inbox reaches back to before it failed.
    NeverReached,
    /// It was skipped: no consumer has seen this copy.
    NoConsumer,
    /// No row, and the inbox does not reach back to when it failed.
    OutOfReach {
        failed: DateTime<Utc>,
        since: DateTime<Utc>,
    },
    NoWindow,
    /// The time it failed is missing or ahead of our clock.
    NoTime,
    NoMessageId,
    InboxUnread,
    /// There are rows of its message id, but of consumers that nothing names.
    UnnamedConsumers {
        rows: usize,
        delivered: usize,
    },
    /// Nothing shows that the consumers of its queue use the inbox of this database.
    OtherInbox,
    /// A unique violation or serialization failure before a consumer was reached.
    Doubled {
        rows: usize,
        delivered: usize,
    },
    /// The queue it came from is not known, so its consumers are not either.
    UnknownOrigin(String),
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub why: Why,
}

impl Verdict {
    /// Whether a bulk replay includes it: it does something, and nothing twice.
    #[must_use]
    pub const fn in_bulk_replay(self) -> bool {
        matches!(self, Self::Waiting)
    }

    /// Whether a bulk discard includes it: nothing is left to do for it.
    #[must_use]
    pub const fn in_bulk_discard(self) -> bool {
        matches!(self, Self::Done)
    }

    /// Whether a replay may do work again that was done.
    #[must_use]
    pub const fn may_repeat(self) -> bool {
        matches!(self, Self::Unknown | Self::ProbableDuplicate)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::ProbableDuplicate => "probable duplicate",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = |at: &DateTime<Utc>| endless::utc(*at, "%F %TZ");
        match self {
            Self::Delivered { last, complete: true } => {
                write!(f, "every configured consumer has delivered it, the last at {}", second(last))
            }
            Self::Delivered { last, complete: false } => write!(
                f,
                "every consumer the inbox knows of has delivered it, the last at {}",
                second(last)
            ),
            Self::Failed { received } => write!(
                f,
                "received {}, never consumed: a replay runs the handler for the first time",
                second(received)
            ),
            Self::HalfDone { consumed } => write!(
                f,
                "consumed {}, not delivered: a replay only sends what the handler produced",
                second(consumed)
            ),
            Self::NeverReached => f.write_str(
                "no inbox row, and one from then would still be there: its handler never completed",
            ),
            Self::NoConsumer => f.write_str(
                "no consumer of its queue took its type; it is skipped again unless one does now",
            ),
            Self::OutOfReach { failed, since } => write!(
                f,
                "no inbox row, but it failed {} and the inbox reaches back to {} only: it may have \
                 completed, and a replay runs the handler again",
                second(failed),
                second(since)
            ),
            Self::NoWindow => f.write_str(
                "no inbox row, and how long the service keeps them is not known: set messages.duplicate_window",
            ),
            Self::NoTime => {
                f.write_str("no inbox row, and no believable time of the failure to judge that by")
            }
            Self::NoMessageId => f.write_str("it has no message id to look for in the inbox"),
            Self::InboxUnread => f.write_str("the inbox could not be read"),
            Self::UnnamedConsumers { rows, delivered } => write!(
                f,
                "{delivered} of {rows} inbox rows of this message are delivered, but nothing names \
                 their consumers: configure them"
            ),
            Self::OtherInbox => f.write_str(
                "nothing shows that the consumers of its queue use this database's inbox: configure \
                 them if they do",
            ),
            Self::Doubled { rows: 0, .. } => f.write_str(
                "it failed as the second of two deliveries fails, before a consumer was reached; no \
                 inbox row tells what became of the first",
            ),
            Self::Doubled { rows, delivered } => write!(
                f,
                "it failed as the second of two deliveries fails; {delivered} of {rows} inbox rows of \
                 this message are delivered, of consumers that nothing names"
            ),
            Self::UnknownOrigin(why) => f.write_str(why),
        }
    }
}

/// Judges one message by the inbox rows that bear its id (others are ignored).
#[must_use]
pub fn judge(
    fault: &Fault,
    rows: &[InboxRow],
    consumers: &Consumers,
    reach: InboxCoverage,
    now: DateTime<Utc>,
) -> Judgement {
    let is = |verdict, why| Judgement { verdict, why };
    let home = match fault.origin() {
        Ok(home) => home,
        Err(why) => return is(Verdict::Unknown, Why::UnknownOrigin(why.to_string())),
    };
    let Some(message) = fault.message else { return is(Verdict::Unknown, Why::NoMessageId) };
    if reach == InboxCoverage::Unread {
        return is(Verdict::Unknown, Why::InboxUnread);
    }
    let rows: Vec<_> = rows.iter().filter(|row| row.message == message).collect();
    let mut types = fault.types.clone();
    types.extend(fault.message_type.clone().filter(|name| !fault.types.contains(name)));

    let configured = consumers.named(home, &types);
    let complete = !configured.is_empty();
    let mut expected = configured;
    let candidates = consumers.candidates(fault, home, &types);
    if !complete {
        if let (Some(handler), Some(message)) = (&fault.consumer, &fault.message_type) {
            let (handler, message, queue) = (handler.clone(), message.clone(), home.to_owned());
            expected.push(Consumer { handler, message, queue });
        }
        let proven = candidates.iter().filter(|name| {
            !expected.contains(name) && rows.iter().any(|row| name.is(row.consumer))
        });
        expected.extend(proven.cloned().collect::<Vec<_>>());
    }
    let delivered = rows.iter().filter(|row| row.delivered.is_some()).count();
    let theirs: Vec<_> = expected
        .iter()
        .map(|name| rows.iter().find(|row| name.is(row.consumer)).copied())
        .collect();

    let open =
        theirs.iter().flatten().find(|row| row.consumed.is_none() && row.delivered.is_none());
    let missing = theirs.iter().any(Option::is_none);
    // Before anything else that a row might say: one consumer without a row may have completed long ago.
    if missing || expected.is_empty() {
        let in_use = complete
            || expected.iter().any(|name| consumers.seen.iter().any(|seen| name.is(*seen)))
            || candidates.iter().any(|name| consumers.seen.iter().any(|seen| name.is(*seen)));
        return without_row(
            fault,
            (rows.len(), delivered),
            !expected.is_empty(),
            in_use,
            reach,
            now,
        );
    }
    if let Some(row) = open {
        return is(Verdict::Waiting, Why::Failed { received: row.received });
    }
    let half = theirs.iter().flatten().find(|row| row.delivered.is_none());
    if let Some(consumed) = half.and_then(|row| row.consumed) {
        return is(Verdict::Waiting, Why::HalfDone { consumed });
    }
    if !complete && delivered < rows.len() {
        return is(Verdict::Unknown, Why::UnnamedConsumers { rows: rows.len(), delivered });
    }
    match theirs.iter().flatten().filter_map(|row| row.delivered).max() {
        Some(last) => is(Verdict::Done, Why::Delivered { last, complete }),
        None => is(Verdict::Unknown, Why::OtherInbox),
    }
}

/// A consumer of it has no row, or none is known. `rows`: how many there are of this message at all, and
/// how many of them are delivered.
fn without_row(
    fault: &Fault,
    (rows, delivered): (usize, usize),
    named: bool,
    in_use: bool,
    reach: InboxCoverage,
    now: DateTime<Utc>,
) -> Judgement {
    let is = |verdict, why| Judgement { verdict, why };
    if fault.looks_doubled() {
        return is(Verdict::ProbableDuplicate, Why::Doubled { rows, delivered });
    }
    if rows > 0 && !named {
        return is(Verdict::Unknown, Why::UnnamedConsumers { rows, delivered });
    }
    if fault.kind == Kind::Skipped && rows == 0 {
        return is(Verdict::Waiting, Why::NoConsumer);
    }
    if !in_use {
        return is(Verdict::Unknown, Why::OtherInbox);
    }
    let Some(failed) = fault.failed.filter(|failed| *failed <= now + SKEW) else {
        return is(Verdict::Unknown, Why::NoTime);
    };
    match reach {
        InboxCoverage::Since(since) if failed > since => is(Verdict::Waiting, Why::NeverReached),
        InboxCoverage::Since(since) => is(Verdict::Unknown, Why::OutOfReach { failed, since }),
        InboxCoverage::Unknown => is(Verdict::Unknown, Why::NoWindow),
        InboxCoverage::Unread => is(Verdict::Unknown, Why::InboxUnread),
    }
}
