//! The history of outbox and inbox: one look for the sampler, how it is stored, and what screens and verbs read of it.
//!
//! Two samplers cannot spoil each other's sums: each look counts what happened since the newest look that is stored,
//! whoever stored it, and only one writes at a time.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{Watch, look::measured};
use crate::{
    db::{
        Error, Layout, inbox,
        samples::{self, Access, MOST_SEEN, SEEN_KEPT, Seen},
    },
    domain::{
        backlog::Sample,
        trend::{self, Grain, Look, Slice},
    },
};

/// How far back the screen and the rates look; the history itself goes back a year.
pub const SHOWN: TimeDelta = TimeDelta::hours(6);
/// So many finished deliveries are remembered at a look.
const PAGE: i64 = 2_000;
/// A delivery may be committed so long after the time it is stamped with.
const LATE: TimeDelta = TimeDelta::seconds(10);
/// How far ahead of the server's clock a slice may lie before it is taken for one of a wrong clock.
const AHEAD: TimeDelta = TimeDelta::minutes(10);

/// What is known of the time before this program looked itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Past {
    Stored(Box<History>),
    /// Nothing: looks live as long as the console does.
    Memory(Why),
}

/// Why there is no history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    NoSchema,
    Behind,
    NotPermitted,
    /// There is room for one, but no sampler has looked yet.
    NothingYet,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoSchema => "there is no schema orderscope to keep a history in",
            Self::Behind => "schema orderscope is older than this program and keeps no history",
            Self::NotPermitted => "this role may not read the history in schema orderscope",
            Self::NothingYet => "no history is stored yet: a console that is open stores one",
        })
    }
}

/// What samplers stored.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The first look that is still known.
    pub since: DateTime<Utc>,
    /// Looks of the last hours, one a slice, oldest first.
    pub samples: Vec<Sample>,
    /// The last day in one.
    pub day: Option<Slice>,
}

/// What is stored, as far as our role may read it.
pub async fn kept(conn: &mut PgConnection) -> Result<Past, Error> {
    let day = match stored(conn, TimeDelta::days(1)).await? {
        Ok(day) => day,
        Err(why) => return Ok(Past::Memory(why)),
    };
    let Some(since) = samples::since(conn).await? else {
        return Ok(Past::Memory(Why::NothingYet));
    };
    // Slices lie by the server's clock, as the newest of them does.
    let from = day.last().map(|slice| slice.last.at - SHOWN);
    let shown = day.iter().map(Slice::sample).filter(|sample| Some(sample.at) >= from);
    Ok(Past::Stored(Box::new(History {
        since,
        samples: shown.collect(),
        day: trend::sum(day.iter().copied()),
    })))
}

/// The slices of the last `within`, oldest first, or why there are none.
pub async fn stored(
    conn: &mut PgConnection,
    within: TimeDelta,
) -> Result<Result<Vec<Slice>, Why>, Error> {
    Ok(match samples::access(conn).await? {
        Access::Read | Access::Write => Ok(samples::recent(conn, within).await?),
        Access::NoSchema => Err(Why::NoSchema),
        Access::Behind => Err(Why::Behind),
        Access::NotPermitted => Err(Why::NotPermitted),
    })
}

/// One look, and the deliveries finished since the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleTaken {
    /// None where counting stopped before the end: what is no measurement is not stored.
    look: Option<Look>,
    /// When the stored look was that this one is compared with.
    before: Option<DateTime<Utc>>,
    seen: Vec<Seen>,
    /// Where the next look goes on reading deliveries.
    pub next: Option<DateTime<Utc>>,
}

/// Looks at outbox and inbox for the sampler; `from` is where the look before said to go on.
pub async fn look(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    from: Option<DateTime<Utc>>,
) -> Result<SampleTaken, Error> {
    let limits = &watch.thresholds;
    let before = samples::newest(conn).await?.map(|slice| slice.last);
    let overview = measured(conn, layout, watch, None, before.as_ref()).await?;
    let now = overview.now;
    let consumers = inbox::consumers(conn, layout, now, limits.held, limits.window).await?;
    let start = match from {
        Some(from) => from,
        None => samples::newest_seen(conn).await?.map_or(now - SEEN_KEPT, |newest| newest - LATE),
    };
    let seen = inbox::finished(conn, layout, start, PAGE).await?.unwrap_or_default();
    let next = match seen.last() {
        // A full page: the rest comes at the next look.
        Some(last) if i64::try_from(seen.len()) == Ok(PAGE) => last.delivered,
        Some(last) => (last.delivered - LATE).max(start),
        None => start,
    };
    let sum = |of: fn(&inbox::ConsumerRow) -> i64| consumers.iter().map(of).sum();
    let pending = overview.bus.plus(overview.consumer).measured();
    let mut sample = Sample { at: now, pending, mark: overview.mark, change: None };
    if let Some((before, seen)) = before.zip(overview.seen) {
        sample = sample.since(&before, seen);
    }
    let look = pending.filter(|_| inbox::counts_all_open(&consumers)).map(|pending| Look {
        sample,
        pending,
        oldest: overview.oldest,
        failing: sum(|row| row.failing),
        half_done: sum(|row| row.half_done),
        duplicates: sum(|row| row.duplicates_exact + row.duplicates_estimated),
        received: 0,
        repeated: 0,
    });
    Ok(SampleTaken { look, before: before.map(|before| before.at), seen, next: Some(next) })
}

/// What became of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    Yes,
    /// Another sampler writes at this moment.
    Busy,
    /// Another sampler stored a look that is as new.
    Known,
    /// More is there than is counted: only which deliveries were finished is remembered.
    TooMany,
}

/// Stores a look in the caller's transaction, and lets old slices grow coarser.
pub async fn store(tx: &mut PgConnection, looked: &SampleTaken) -> Result<Stored, Error> {
    if !samples::lock(tx).await? {
        return Ok(Stored::Busy);
    }
    let Some(look) = looked.look else {
        samples::see(tx, &looked.seen).await?;
        return Ok(Stored::TooMany);
    };
    let now = look.sample.at;
    let before = samples::newest(tx).await?;
    if before.is_some_and(|before| before.last.at >= now) {
        // Either as new as ours, or of a clock that was set back since: that one goes.
        samples::bound(tx, now + AHEAD).await?;
        return Ok(Stored::Known);
    }
    if before.map(|before| before.last.at) != looked.before {
        // Another sampler stored one since: what changed since that is not known from this look.
        return Ok(Stored::Known);
    }
    let repeated = samples::see(tx, &looked.seen).await?;
    // What was finished before the first look is remembered, but did not happen since.
    let new = looked.seen.iter().filter(|one| before.is_some_and(|b| one.delivered > b.last.at));
    let received = i64::try_from(new.count()).unwrap_or(i64::MAX);
    let look = Look { received, repeated, ..look };
    let slice = Slice::new(&look);
    let same = before.filter(|old| old.grain == slice.grain && old.begins == slice.begins);
    samples::put(tx, &same.map_or(slice, |old| old.joined(slice))).await?;
    // Once a minute is soon enough for the rest.
    if same.is_none() {
        for grain in Grain::ALL {
            coarsen(tx, grain, now).await?;
        }
    }
    // And once a quarter for what only wrong clocks and floods make necessary.
    if before.is_none_or(|old| Grain::Quarter.floor(old.last.at) != Grain::Quarter.floor(now)) {
        samples::bound(tx, now + AHEAD).await?;
        samples::forget(tx, now - SEEN_KEPT, MOST_SEEN).await?;
    }
    Ok(Stored::Yes)
}

/// Makes the slices of a grain that have grown old coarser; those of the coarsest go.
async fn coarsen(tx: &mut PgConnection, grain: Grain, now: DateTime<Utc>) -> Result<(), Error> {
    let cutoff = grain.cutoff(now);
    let old = samples::between(tx, grain, None, cutoff).await?;
    let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(()) };
    let (from, until) = (first.begins, last.begins + TimeDelta::seconds(1));
    if let Some(coarser) = grain.coarser() {
        let there = samples::between(tx, coarser, Some(coarser.floor(from)), until).await?;
        for slice in trend::gathered(there.into_iter().chain(old), coarser) {
            samples::put(tx, &slice).await?;
        }
    }
    samples::remove(tx, grain, from, until).await
}
