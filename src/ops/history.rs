//! Everything the database knows of one order: its rows, its events wherever they are, its summary, its
//! messages and dead letters, and what could not be looked at.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::chain;
pub use crate::db::messages::Message;
use crate::{
    db::{
        Error, Layout, Table, clock,
        events::{self, SeqRange},
        letters::{self, Letter},
        messages, orders,
        streams::{self, Stream},
        summaries::{self, Position, SummaryDocument},
        unless_late,
    },
    domain::{
        chain::Facts,
        coverage::NotLookedAt,
        dialect::{DEFAULT_TENANT, tenants},
        endless,
        event::RecordedEvent,
        id::{OrderId, SeqId},
        order::Order,
        order_ref::IdMatch,
        text::thousands,
    },
};

/// So many of the newest events of an order are read, where nobody asks for more.
pub const MOST_EVENTS: i64 = 5_000;
/// How many days before and after an order's placing its events are looked for without an index; the second
/// where the first takes too long.
const WINDOWS: [i64; 2] = [30, 3];
/// The most messages, and the most letters.
const MOST_OTHERS: i64 = 1_000;
/// What one request of the service writes is all there after this time.
const SETTLED: TimeDelta = TimeDelta::seconds(3);
/// The most orders that the end of an id is taken to mean.
pub const MOST_ALIKE: i64 = 20;

/// An order and everything around it, read within a few milliseconds but not at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub id: OrderId,
    /// As its rows have it now.
    pub row: Option<Order>,
    /// By sequence number, from all streams; the newest.
    pub events: Vec<RecordedEvent>,
    /// How many older ones were not read.
    pub skipped: i64,
    /// Every event of the order is here, as far as tables can tell: none was left out for want of an index, of
    /// a right, or of time, or because there are too many.
    pub whole: bool,
    /// Its own stream, with the snapshot if there is one.
    pub stream: Option<Stream>,
    pub summary: Option<SummaryDocument>,
    pub position: Position,
    pub messages: Vec<Message>,
    pub letters: Vec<Letter>,
    /// What its causal chain is made from.
    pub chain: Facts,
    /// Something was written so little ago that the rest may not have been there yet when it was looked for:
    /// what differs may be about to agree.
    pub settling: bool,
    /// The tenant of its events, where the store has tenants.
    pub tenant: Option<String>,
    /// Where rows may be hidden from our role.
    pub hidden: Hidden,
    /// What was not searched and why.
    pub coverage: Vec<NotLookedAt>,
}

/// Why rows of these may be there and not be seen: the table cannot be read, or row level security hides some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    pub orders: Option<String>,
    pub lines: Option<String>,
    pub summaries: Option<String>,
}

/// Reads the history of an order with at most [`MOST_EVENTS`] of its newest events.
pub async fn history(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
) -> Result<Option<History>, Error> {
    newest(conn, layout, id, MOST_EVENTS).await
}

/// Reads the history of an order with at most `most` of its newest events; none if neither row nor stream nor event
/// knows it.
pub async fn newest(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    most: i64,
) -> Result<Option<History>, Error> {
    let narrowed = in_its_tenant(conn, layout, id).await?;
    let layout = narrowed.as_ref().unwrap_or(layout);
    let mut coverage = Vec::new();
    let row = orders::by_id(conn, layout, id).await?;
    // Nothing is near a time that is no date.
    let placed =
        row.as_ref().and_then(|row| row.created_at).filter(|at| endless::told(*at).is_none());
    let Found { mut events, skipped } =
        events_of(conn, layout, id, placed, most, &mut coverage).await?;
    one_tenant(id, &tenants(&events))?;
    if let (Some(tenant), true) = (layout.tenant(), events.is_empty()) {
        coverage.push(NotLookedAt::unknown(
            "events",
            format!(
                "only those of tenant {tenant} are read, and it has none of this order; its row may be \
                 another tenant's"
            ),
        ));
    }
    events.sort_by_key(|event| event.seq);
    let whole =
        coverage.is_empty() && layout.reads(Table::Events) && !layout.may_hide_rows(Table::Events);
    if skipped > 0 {
        let all = thousands(skipped.saturating_add(most));
        let why = format!("the newest {} of {all} were read", thousands(most));
        coverage.push(NotLookedAt::narrowed("events", why));
    }
    if let Some(why) = row.as_ref().and_then(|row| row.unread.as_ref()) {
        coverage.push(NotLookedAt::unknown("the order's total is not known", why));
    }
    let stream = streams::of_order(conn, layout, id).await?;
    if row.is_none() && events.is_empty() && stream.is_none() {
        return Ok(None);
    }
    let (summary, position) = summaries::of_order(conn, layout, id).await?;
    let noted = coverage.len();
    let messages = messages_of(conn, layout, id, &mut coverage).await?;
    let unsearched = coverage.get(noted).map(ToString::to_string).or_else(|| {
        let full = i64::try_from(messages.len()).is_ok_and(|count| count >= MOST_OTHERS);
        full.then(|| format!("only the first {MOST_OTHERS} messages were read"))
    });
    let chain = chain::facts(conn, layout, &events, &messages, unsearched).await?;
    let letters = letters_of(conn, layout, &events, &mut coverage).await?;
    coverage.extend(layout.not_looked_at(&[
        Table::Orders,
        Table::OrderItems,
        Table::Buyers,
        Table::Events,
        Table::Streams,
        Table::Summaries,
        Table::Letters,
    ]));
    let why = |tables: &[Table]| layout.not_looked_at(tables).pop().map(|one| one.why);
    let hidden = Hidden {
        orders: why(&[Table::Orders]),
        lines: why(&[Table::OrderItems]),
        summaries: why(&[Table::Summaries]),
    };
    let tenant = events.first().and_then(|event| event.tenant.clone());
    let tenant = tenant.filter(|tenant| tenant != DEFAULT_TENANT);
    let settling = is_settling(conn, row.as_ref(), &events).await?;
    Ok(Some(History {
        id,
        row,
        events,
        skipped,
        whole,
        stream,
        summary,
        position,
        messages,
        letters,
        chain,
        settling,
        tenant,
        hidden,
        coverage,
    }))
}

/// The layout with the order's tenant alone, where ids are shared among tenants and one of them has its stream. By
/// its tenant its events are found at once.
///
/// # Errors
/// [`Error::Tenants`] where several have a stream of that id.
pub(super) async fn in_its_tenant(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
) -> Result<Option<Layout>, Error> {
    if !layout.shares_ids() {
        return Ok(None);
    }
    let tenants = streams::tenants(conn, layout, id).await?;
    let names: Vec<_> = tenants.iter().map(String::as_str).collect();
    one_tenant(id, &names)?;
    Ok(names.first().map(|tenant| layout.of_tenant(tenant)))
}

/// Orders of two tenants may have one id; what they have in common is only that.
fn one_tenant(id: OrderId, tenants: &[&str]) -> Result<(), Error> {
    match tenants {
        [first, _, ..] => Err(Error::Tenants {
            order: id.to_string(),
            tenants: tenants.join(", "),
            first: (*first).to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether the newest that the parts say of themselves is only moments old, by the server's clock.
async fn is_settling(
    conn: &mut PgConnection,
    row: Option<&Order>,
    events: &[RecordedEvent],
) -> Result<bool, Error> {
    let row = row.and_then(|row| row.created_at.max(row.last_modified_at));
    let Some(newest) = row.max(events.last().map(|event| event.at)) else { return Ok(false) };
    Ok((clock::now(conn).await? - newest).abs() < SETTLED)
}

/// The orders that a whole id or the end of one means, newest first, at most [`MOST_ALIKE`]. An order without
/// a row counts if it has a stream.
pub async fn resolve(
    conn: &mut PgConnection,
    layout: &Layout,
    wanted: &IdMatch,
) -> Result<Vec<OrderId>, Error> {
    match wanted {
        IdMatch::Full(id) => {
            let id = OrderId(*id);
            let known = orders::created_at(conn, layout, id.0).await?.is_some()
                || streams::of_order(conn, layout, id).await?.is_some();
            Ok(known.then_some(id).into_iter().collect())
        }
        IdMatch::Tail(tail) => orders::by_tail(conn, layout, tail, MOST_ALIKE).await,
    }
}

/// Events of an order, and how many older ones there are.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub events: Vec<RecordedEvent>,
    pub skipped: i64,
}

impl Found {
    /// The newest `most` of them. One more was looked for, so that it is known whether there are more.
    pub async fn newest(
        conn: &mut PgConnection,
        layout: &Layout,
        id: OrderId,
        range: Option<SeqRange>,
        most: i64,
    ) -> Result<Self, Error> {
        let limit = most.saturating_add(1);
        let mut events = events::of_order(conn, layout, id, range, limit).await?;
        let skipped = skipped(conn, layout, id, range, most, &mut events).await?;
        Ok(Self { events, skipped })
    }
}

/// Takes what is more than the newest `most` out of events that come newest first, and counts what is older.
pub(super) async fn skipped(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    range: Option<SeqRange>,
    most: i64,
    events: &mut Vec<RecordedEvent>,
) -> Result<i64, Error> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if events.len() <= most {
        return Ok(0);
    }
    events.truncate(most);
    match events.last() {
        Some(oldest) => events::older(conn, layout, id, range, oldest.seq).await,
        None => Ok(0),
    }
}

pub(super) async fn events_of(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    placed: Option<DateTime<Utc>>,
    most: i64,
    coverage: &mut Vec<NotLookedAt>,
) -> Result<Found, Error> {
    if events::finds_stream(layout) && events::finds_bodies(layout) {
        return Found::newest(conn, layout, id, None, most).await;
    }
    let (what, missing) = if events::finds_stream(layout) {
        ("events in other streams", "no index on the order in mt_events.data")
    } else {
        ("events", "no index on mt_events(stream_id)")
    };
    let Some(placed) = placed.or_else(|| made_at(id)) else {
        let why = format!("{missing}, and no time to look around; not searched");
        coverage.push(NotLookedAt::unknown(what, why));
        return own_stream(conn, layout, id, most).await;
    };
    for days in WINDOWS {
        let found = async |conn: &mut PgConnection| {
            let range = events::around(conn, layout, placed, TimeDelta::days(days)).await?;
            Found::newest(conn, layout, id, range, most).await
        };
        if let Some(found) = unless_late(conn, found).await? {
            let why = format!("{missing}; searched within {days} days of placing only");
            coverage.push(NotLookedAt::unknown(what, why));
            return Ok(found);
        }
    }
    let why = format!("{missing}; even the search within {} days took too long", WINDOWS[1]);
    coverage.push(NotLookedAt::unknown(what, why));
    own_stream(conn, layout, id, most).await
}

async fn own_stream(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    most: i64,
) -> Result<Found, Error> {
    if !events::finds_stream(layout) {
        return Ok(Found::default());
    }
    let mut events = events::of_stream(conn, layout, id, most.saturating_add(1)).await?;
    // All of the own stream is found without a range; other streams were given up.
    let nowhere = Some(SeqRange { from: SeqId(0), to: SeqId(0) });
    let skipped = skipped(conn, layout, id, nowhere, most, &mut events).await?;
    Ok(Found { events, skipped })
}

/// The clock in a version 7 id.
fn made_at(id: OrderId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = id.0.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

async fn messages_of(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    coverage: &mut Vec<NotLookedAt>,
) -> Result<Vec<Message>, Error> {
    let found =
        async |conn: &mut PgConnection| messages::of_order(conn, layout, id, MOST_OTHERS).await;
    let of_messages = [Table::OutboxMessages, Table::OutboxStates, Table::InboxStates];
    coverage.extend(layout.not_looked_at(&of_messages));
    match unless_late(conn, found).await? {
        None => {
            let why = "no index on the order in their bodies; took too long";
            coverage.push(NotLookedAt::unknown("messages", why));
            Ok(Vec::new())
        }
        Some(found) => {
            if !messages::finds_all(layout) {
                let most = messages::MOST_WITHOUT_INDEX;
                let why = format!("among the newest {most} only, for want of an index");
                coverage.push(NotLookedAt::unknown("messages", why));
            }
            Ok(found)
        }
    }
}

async fn letters_of(
    conn: &mut PgConnection,
    layout: &Layout,
    events: &[RecordedEvent],
    coverage: &mut Vec<NotLookedAt>,
) -> Result<Vec<Letter>, Error> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<SeqId> = events.iter().map(|event| event.seq).collect();
    let letters = letters::of_events(conn, layout, &numbers, MOST_OTHERS).await?;
    if !letters::finds_all(layout) {
        let most = letters::MOST_WITHOUT_INDEX;
        let why = format!("among the newest {most} only, for want of an index");
        coverage.push(NotLookedAt::unknown("dead letters", why));
    }
    Ok(letters)
}
