//! Half-done consumers that only the relay can finish. Most finish by themselves when their message is redelivered;
//! the relay delivers only for those whose message is in neither the queue nor the error queue.

use std::{collections::BTreeSet, time::Duration};

use sqlx::PgConnection;

use super::{Error, Settings, Shared};
use crate::{
    db::relay::{self as table, ConsumerOutbox, OutboxTables},
    domain::{
        consumer::Consumer,
        diagnosis::Inbound,
        id::{ConsumerId, MessageId},
    },
    ops::{
        delivery::QUIET,
        messages::inbound::{Search, Unnamed},
    },
    relay::{Limits, QueueInspector},
};

/// At most this many are checked at a time.
const MOST: i64 = 20;
/// How much of a queue is read.
const LOOKED: Limits = Limits { messages: 1_000, bytes: 16 << 20, wait: Duration::from_secs(5) };

/// Half-done consumers whose message is in no queue any more. One whose queue is unknown, or cannot be read to the end,
/// is left alone.
pub(super) async fn dangerous(
    shared: &Shared,
    conn: &mut PgConnection,
    tables: &OutboxTables,
) -> Result<Vec<ConsumerOutbox>, Error> {
    let half_done = table::half_done(conn, tables, (shared.clock)() - QUIET, MOST).await?;
    let settings = &shared.settings;
    let named = half_done.into_iter().filter_map(|consumer_outbox| {
        let id = ConsumerId(consumer_outbox.consumer_id);
        settings
            .consumers
            .iter()
            .find(|consumer| consumer.is(id))
            .map(|consumer| (consumer_outbox, consumer))
    });
    let named: Vec<(ConsumerOutbox, &Consumer)> = named.collect();
    if named.is_empty() {
        return Ok(vec![]);
    }
    let inspector =
        QueueInspector::connect(&settings.broker, "relay half-done", LOOKED.wait).await?;
    let counting = shared.counting(|counting| counting.clone());
    let mut search = search(settings, &inspector, counting).await;
    let mut out = vec![];
    for (consumer_outbox, consumer) in named {
        if search.find(MessageId(consumer_outbox.message_id), consumer).await == Inbound::Gone {
            out.push(consumer_outbox);
        }
    }
    for why in search.notes() {
        tracing::warn!(why, "half-done consumers are left");
    }
    shared.counting(|counting| counting.clone_from(search.counting()));
    inspector.close().await;
    Ok(out)
}

/// Where the message of a half-done consumer is.
///
/// # Errors
/// When the broker cannot be asked.
pub async fn inbound(
    settings: &Settings,
    consumer_outbox: ConsumerOutbox,
) -> Result<Inbound, Error> {
    let id = ConsumerId(consumer_outbox.consumer_id);
    let Some(consumer) = settings.consumers.iter().find(|consumer| consumer.is(id)) else {
        return Ok(Inbound::Unknown);
    };
    let inspector =
        QueueInspector::connect(&settings.broker, "relay half-done", LOOKED.wait).await?;
    let mut search = search(settings, &inspector, BTreeSet::new()).await;
    let found = search.find(MessageId(consumer_outbox.message_id), consumer).await;
    let failed = search.failed().cloned();
    inspector.close().await;
    match (found, failed) {
        (Inbound::Unknown, Some(error)) => Err(error.into()),
        (found, _) => Ok(found),
    }
}

async fn search<'a>(
    settings: &Settings,
    inspector: &'a QueueInspector,
    counting: BTreeSet<String>,
) -> Search<'a> {
    let (broker, management) = (&settings.broker, settings.management.as_ref());
    Search::begin(inspector, broker, management, Unnamed::Look(counting), LOOKED).await
}
