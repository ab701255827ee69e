//! Whether messages of failed inbox rows still lie in a queue: asked of the broker beside the plan of removing the
//! rows, never inside its transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    super::plan::{Check, Plan},
    Operation, Verdict,
    due::BATCH,
};
use crate::{
    db::{self, Db, Layout, inbox},
    domain::{
        diagnosis::Inbound,
        id::{ConsumerId, MessageId},
        outbox_action::OutboxAction,
        text::thousands,
    },
    ops::{
        error_queue::Source,
        messages::inbound::{Search, Unnamed},
    },
    relay::{Limits, QueueInspector},
};

/// What a plan says while the broker was not asked.
pub const UNASKED: &str =
    "whether the messages still wait in a queue or in _error: a later delivery makes the row again";

/// All questions together take no longer than this.
const WITHIN: Duration = Duration::from_secs(10);
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

/// Replaces what a plan of removing failed rows says unasked by what the broker tells about these rows; leaves a plan of
/// anything else as it is.
///
/// # Errors
/// When the database does not answer; the plan then stays as it is.
pub async fn ask_broker(
    plan: &mut Plan,
    db: &Db,
    layout: &Layout,
    source: &Source,
    stop: &CancellationToken,
) -> Result<(), db::Error> {
    let Operation::Outbox(OutboxAction::RemoveFailed { before }) = plan.request.operation else {
        return Ok(());
    };
    let read = async |conn: &mut PgConnection| rows(conn, layout, before).await;
    let rows = db.read("inbox", stop, read).await?;
    ask(&mut plan.checks, source, &rows).await;
    Ok(())
}

/// Puts what the broker tells about these rows in the place of what a plan says unasked.
async fn ask(checks: &mut Vec<Check>, source: &Source, rows: &[Row]) {
    let told = match timeout(WITHIN, told(source, rows)).await {
        Ok(told) => told,
        Err(_) => vec![Check::new(
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
        Err(error) => return vec![Check::new(Verdict::Unknown, format!("{UNASKED} ({error})"))],
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
        out.push(Check::new(
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
        out.push(Check::new(
            Verdict::Unknown,
            format!("of {}, {UNASKED} ({notes})", count(unknown)),
        ));
    } else if waiting.is_empty() {
        out.push(Check::new(
            Verdict::Ok,
            "none of the messages lies in its queue or its _error queue",
        ));
    }
    out
}
