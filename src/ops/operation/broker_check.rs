//! Whether messages of failed inbox rows still lie in a queue: asked of the broker beside the plan of removing the
//! rows, never inside its transactions.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Check, PlanError, Verdict, Writer,
    batch::{BatchKind, UNASKED},
};
use crate::{
    db::write::DueKey,
    domain::{
        diagnosis::Inbound,
        id::{ConsumerId, MessageId},
        text::thousands,
    },
    ops::{
        error_queue::Source,
        messages::inbound::{Search, Unnamed},
    },
    relay::{Limits, QueueInspector},
};

/// All questions together take no longer than this.
const WITHIN: Duration = Duration::from_secs(10);
/// So many rows of a bulk removal are asked about, the oldest.
const ASKED: u64 = 500;
/// So much of a queue is looked at.
const LOOKED: Limits = Limits { messages: 1_000, bytes: 16 << 20, wait: Duration::from_secs(3) };

/// A failed row.
type Row = (MessageId, ConsumerId);

/// Puts what the broker tells about the rows that go first in the place of what a plan says unasked. Where the database
/// does not name them, the plan stays as it is.
pub(super) async fn ask(
    checks: &mut Vec<Check>,
    writer: &Writer,
    kind: &dyn BatchKind,
    source: &Source,
    stop: &CancellationToken,
) {
    let Some(place) = checks.iter().position(|check| check.text == UNASKED) else { return };
    let rows = match rows(writer, kind, stop).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(%error, "the broker was not asked about failed inbox rows");
            return;
        }
    };
    let told = match timeout(WITHIN, told(source, &rows)).await {
        Ok(told) => told,
        Err(_) => vec![Check::new(
            Verdict::Unknown,
            format!("{UNASKED} (the broker did not answer within {} s)", WITHIN.as_secs()),
        )],
    };
    checks.splice(place..=place, told);
}

/// The rows that go first.
async fn rows(
    writer: &Writer,
    kind: &dyn BatchKind,
    stop: &CancellationToken,
) -> Result<Vec<Row>, PlanError> {
    let layout = &writer.layout;
    let read = async |conn: &mut PgConnection| Ok(kind.first(conn, layout, ASKED).await);
    let keys = writer.db.read("inbox", stop, read).await??;
    let row = |key: &serde_json::Value| {
        let DueKey { id, consumer } = DueKey::read(key)?;
        Some((MessageId(id), ConsumerId(consumer?)))
    };
    Ok(keys.iter().filter_map(row).collect())
}

async fn told(source: &Source, rows: &[Row]) -> Vec<Check> {
    let inspector = match QueueInspector::connect(&source.broker, "remove failed", LOOKED.wait)
        .await
    {
        Ok(inspector) => inspector,
        Err(error) => return vec![Check::new(Verdict::Unknown, format!("{UNASKED} ({error})"))],
    };
    let (broker, management) = (&source.broker, source.scope.management.as_ref());
    let unnamed = Unnamed::Look(std::collections::BTreeSet::new());
    let mut search = Search::begin(&inspector, broker, management, unnamed, LOOKED).await;
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
    inspector.close().await;
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
