//! Whether messages of failed inbox rows still lie in a queue: asked of the broker beside the plan of removing the
//! rows, never inside its transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Check, Verdict, check, due::BATCH};
use crate::{
    db::{self, Db, Layout, inbox, write::DueKey},
    domain::{
        diagnosis::{Inbound, thousands},
        id::{ConsumerId, MessageId},
        outbox_action::OutboxAction,
    },
    ops::{
        batch::BatchKind,
        error_queue::Source,
        messages::inbound::{Search, Unnamed},
        plan::{Intent, Plan},
    },
    relay::{Limits, QueueInspector},
};

/// What a plan says while the broker was not asked.
pub const UNASKED: &str =
    "whether the messages still wait in a queue or in _error: a later delivery makes the row anew";

/// All questions together take no longer than this.
const WITHIN: Duration = Duration::from_secs(10);
/// So many rows of a bulk removal are asked about, the oldest.
const ASKED: u64 = 500;
/// So much of a queue is looked at.
const LOOKED: Limits = Limits { messages: 1_000, bytes: 16 << 20, wait: Duration::from_secs(3) };

/// A failed row.
type Row = (MessageId, ConsumerId);

/// The rows that a removal would take first.
async fn rows(
    conn: &mut PgConnection,
    layout: &Layout,
    before: DateTime<Utc>,
) -> Result<Vec<Row>, db::Error> {
    inbox::failed(conn, layout, before, BATCH).await
}

/// Puts what the broker tells about the rows that a plan removes in the place of what it says unasked; nothing in a
/// plan of anything else. Whoever shows such a plan asks, verb and console alike.
///
/// # Errors
/// When the database does not answer; the plan then stays as it is.
pub async fn in_queues(
    plan: &mut Plan,
    db: &Db,
    layout: &Layout,
    source: &Source,
    stop: &CancellationToken,
) -> Result<(), db::Error> {
    let Intent::Messages(OutboxAction::RemoveFailed { before }) = plan.request.intent else {
        return Ok(());
    };
    let read = async |conn: &mut PgConnection| rows(conn, layout, before).await;
    let rows = db.read("inbox", stop, read).await?;
    ask(&mut plan.checks, source, &rows).await;
    Ok(())
}

/// The same for a plan of a bulk removal.
///
/// # Errors
/// When the database does not answer; the checks then stay as they are.
pub async fn among(
    checks: &mut Vec<Check>,
    kind: &dyn BatchKind,
    db: &Db,
    layout: &Layout,
    source: &Source,
    stop: &CancellationToken,
) -> Result<(), crate::ops::batch::Error> {
    if !checks.iter().any(|check| check.text == UNASKED) {
        return Ok(());
    }
    let read = async |conn: &mut PgConnection| Ok(kind.first(conn, layout, ASKED).await);
    let keys = db.read("inbox", stop, read).await??;
    let rows = keys.iter().filter_map(|key| {
        let DueKey { id, consumer } = DueKey::read(key)?;
        Some((MessageId(id), ConsumerId(consumer?)))
    });
    let rows: Vec<_> = rows.collect();
    ask(checks, source, &rows).await;
    Ok(())
}

/// Puts what the broker tells about these rows in the place of what a plan says unasked.
async fn ask(checks: &mut Vec<Check>, source: &Source, rows: &[Row]) {
    let told = match timeout(WITHIN, told(source, rows)).await {
        Ok(told) => told,
        Err(_) => vec![check(
            Verdict::Unknown,
            format!("{UNASKED} (the broker did not answer within {} s)", WITHIN.as_secs()),
        )],
    };
    if let Some(place) = checks.iter().position(|check| check.text == UNASKED) {
        checks.splice(place..=place, told);
    }
}

async fn told(source: &Source, rows: &[Row]) -> Vec<Check> {
    let aside = match QueueInspector::connect(&source.broker, "remove failed", LOOKED.wait).await {
        Ok(aside) => aside,
        Err(error) => return vec![check(Verdict::Unknown, format!("{UNASKED} ({error})"))],
    };
    let (broker, management) = (&source.broker, source.scope.management.as_ref());
    let unnamed = Unnamed::Look(std::collections::BTreeSet::new());
    let mut search = Search::begin(&aside, broker, management, unnamed, LOOKED).await;
    let (mut waiting, mut unknown) = (vec![], 0_usize);
    for (message, consumer) in rows {
        let inbound = match source.scope.consumers.iter().find(|name| name.is(*consumer)) {
            Some(name) => search.find(*message, name).await,
            None => {
                search.note(format!(
                    "the queue of consumer {} is not known: name it in messages.consumers",
                    consumer.short()
                ));
                Inbound::Unknown
            }
        };
        match inbound {
            Inbound::Waits => waiting.push(*message),
            Inbound::Unknown => unknown += 1,
            Inbound::Gone => {}
        }
    }
    let notes = search.notes().join("; ");
    // What a look took and did not give back in time goes back with the connection.
    aside.close().await;
    let count = |rows: usize| thousands(i64::try_from(rows).unwrap_or(i64::MAX));
    let mut out = vec![];
    if let Some(first) = waiting.first() {
        out.push(check(
            Verdict::Warn,
            format!(
                "{} of the messages still lie in their queue or its _error queue ({} is one): when they come again, \
                 their rows are there again",
                count(waiting.len()),
                first.0
            ),
        ));
    }
    if unknown > 0 {
        out.push(check(Verdict::Unknown, format!("of {}, {UNASKED} ({notes})", count(unknown))));
    } else if waiting.is_empty() {
        out.push(check(Verdict::Ok, "none of the messages lies in its queue or its _error queue"));
    }
    out
}
