//! A look at the outboxes: figures, what is at the head of the line and what waits behind it, to be judged.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{AsOf, Outboxes, Watch, poison_in};
use crate::{
    db::{
        Error, Index, Layout, Table, inbox,
        outbox::{self, MessageKey, Overview},
        paused,
    },
    domain::{
        backlog::Sample,
        coverage::NotLookedAt,
        diagnosis::{self, Facts, Lock, Published, Thresholds, Written},
        poison::Poison,
    },
};

/// So many of the oldest open outboxes are read for one with a sound text, where a relay passes over the others.
const READ: usize = 5;
/// Older deliveries tell nothing of how long it takes at present.
const LATELY: TimeDelta = TimeDelta::days(1);

/// What is pending and why, without the inbox.
pub async fn outboxes(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    as_of: AsOf<'_>,
    before: Option<&Sample>,
) -> Result<Outboxes, Error> {
    let began = Instant::now();
    let limits = &watch.thresholds;
    let overview = measured(conn, layout, watch, as_of.moment(), before).await?;
    let our_clock = as_of.ours();
    let mut coverage = overview.coverage.clone();
    let mut facts = Facts {
        our_clock,
        managed: layout.is_managed(),
        bus: overview.bus,
        consumer: overview.consumer,
        open: overview.open,
        oldest: overview.oldest,
        newest: overview.newest,
        last_delivered: overview.last_delivered,
        orphans: overview.orphans,
        expired: overview.expired,
        undeliverable: overview.undeliverable,
        missing_indexes: missing(layout),
        written: Written {
            inserted: overview.inserted,
            drawn: overview.drawn,
            newest: overview.newest_number.zip(overview.newest),
            put_back: 0,
            events: overview.events.clone(),
        },
        ..Facts::nothing(overview.now)
    };
    Box::pin(left(conn, layout, &mut facts)).await?;
    if layout.has_console_schema() {
        let (since, names) = (facts.now - LATELY, &watch.by_hand.put_back);
        if let Some(newest) = outbox::newest_but_for(conn, layout, names, since).await? {
            facts.written.newest = Some((newest.number, newest.sent));
            facts.written.put_back = newest.put_back;
        }
    }
    facts.paused = held(conn, layout, &mut coverage).await?;
    let by_hand: Vec<_> = facts.paused.iter().map(|paused| paused.outbox.0).collect();
    let since = overview.since.as_deref();
    facts.heads = outbox::heads(conn, layout, since, &by_hand, facts.now).await?;
    if let Some(first) = diagnosis::blocker(&facts, limits) {
        let first = (first.created, first.outbox);
        Box::pin(texts(conn, layout, limits, &mut facts)).await?;
        if facts.heads.first().is_some_and(|head| head.lock == Lock::Unknown) {
            let before = facts.now - TimeDelta::minutes(1);
            facts.idle_sessions = outbox::idle_sessions(conn, layout, before).await?;
        }
        if facts.open.number() > 1 {
            facts.blast = outbox::blast(conn, layout, first, &by_hand).await?;
        }
    }
    if !inbox::sums_all(layout) {
        let why = format!("inbox sums are over the newest {} rows", inbox::MOST);
        coverage.push(NotLookedAt::narrowed("older inbox rows", why));
    }
    let mut sample = sample(&overview, &facts);
    if let Some((before, seen)) = before.zip(overview.seen) {
        sample = sample.since(before, seen);
    }
    Ok(Outboxes { overview, facts, coverage, sample, thresholds: limits.clone(), began })
}

/// Sums over the outboxes, and what moved since an earlier look, if that is handed in.
pub(super) async fn measured(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    now: Option<DateTime<Utc>>,
    before: Option<&Sample>,
) -> Result<Overview, Error> {
    let mut overview = outbox::overview(conn, layout, now, before).await?;
    if let Some((before, seen)) = before.zip(overview.seen.as_mut())
        && layout.has_console_schema()
    {
        // Asked after the figures: what is done by then is in them.
        seen.by_hand = outbox::changed_by_hand(conn, before.at, &watch.by_hand.change).await?;
    }
    Ok(overview)
}

/// A look, without what changed since another.
pub(super) fn sample(overview: &Overview, facts: &Facts) -> Sample {
    let pending = facts.pending().measured();
    Sample { at: facts.now, pending, mark: overview.mark, change: None }
}

/// Reads what may be the blocker in full, and nothing else: a look must stay cheap. Where our own relay delivers, it
/// passes over what it cannot send, so the first that it could send is looked for.
async fn texts(
    conn: &mut PgConnection,
    layout: &Layout,
    limits: &Thresholds,
    facts: &mut Facts,
) -> Result<(), Error> {
    let most = if facts.managed { READ } else { 1 };
    for at in 0..facts.heads.len().min(most) {
        let old = facts.heads.get(at).filter(|head| diagnosis::is_old(facts, limits, head));
        let Some(head) = old else { break };
        let Some(sequence) = head.next.as_ref().map(|next| next.sequence) else { continue };
        let found = poison_of(conn, layout, sequence, limits).await?;
        let sound = found.as_ref().is_none_or(Vec::is_empty);
        if let Some(next) = facts.heads.get_mut(at).and_then(|head| head.next.as_mut()) {
            next.poison = found;
        }
        if sound {
            break;
        }
    }
    Ok(())
}

/// How long messages took to leave, and which left just now, as far as rows tell: only a database of our own keeps
/// them.
async fn left(conn: &mut PgConnection, layout: &Layout, facts: &mut Facts) -> Result<(), Error> {
    if !layout.is_managed() {
        facts.published = Published::Unknown("the service deletes outboxes as it delivers them");
        return Ok(());
    }
    let took = outbox::latency(conn, layout, facts.now - LATELY).await?;
    let none = Published::Unknown("no delivery was recorded in the last day");
    facts.published = took.map_or(none, Published::Took);
    facts.youngest_left =
        outbox::youngest_left(conn, layout, facts.now - diagnosis::TRYING).await?;
    Ok(())
}

/// What operators hold back. Whoever may not look at the console's own tables is told so.
async fn held(
    conn: &mut PgConnection,
    layout: &Layout,
    coverage: &mut Vec<NotLookedAt>,
) -> Result<Vec<diagnosis::Paused>, Error> {
    if !layout.has_console_schema() {
        return Ok(vec![]);
    }
    match paused::held(conn).await {
        Ok(found) => Ok(found
            .into_iter()
            .map(|paused| diagnosis::Paused {
                outbox: paused.outbox,
                by: paused.by,
                since: paused.at,
            })
            .collect()),
        Err(Error::NotPermitted(_)) => {
            let why = "this login may not read schema orderscope";
            coverage.push(NotLookedAt::unknown("which outboxes operators hold", why));
            Ok(vec![])
        }
        Err(error) => Err(error),
    }
}

/// The indexes of MassTransit's own model that its queries need and that are not there.
fn missing(layout: &Layout) -> Vec<String> {
    let wanted = [
        (Index::MessageOutbox, Table::OutboxMessages, "outbox_message(outbox_id, sequence_number)"),
        (
            Index::MessageInbox,
            Table::OutboxMessages,
            "outbox_message(inbox_message_id, inbox_consumer_id, sequence_number)",
        ),
        (Index::OutboxCreated, Table::OutboxStates, "outbox_state(created)"),
        (Index::InboxDelivered, Table::InboxStates, "inbox_state(delivered)"),
    ];
    let gone =
        wanted.into_iter().filter(|(index, table, _)| layout.reads(*table) && !layout.has(*index));
    gone.map(|(_, _, name)| name.to_owned()).collect()
}

/// What is wrong with the text of a message; nothing when it is gone.
async fn poison_of(
    conn: &mut PgConnection,
    layout: &Layout,
    sequence: i64,
    limits: &Thresholds,
) -> Result<Option<Vec<Poison>>, Error> {
    let message = outbox::show(conn, layout, MessageKey::Sequence(sequence)).await?;
    Ok(message.map(|message| poison_in(&message, layout, limits)))
}
