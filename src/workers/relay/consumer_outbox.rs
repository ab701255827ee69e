//! Half-done consumers that nothing else will ever finish. Most heal by themselves, when their message comes
//! again; only one whose message is in neither the queue nor the error queue is delivered for.

use std::{collections::BTreeSet, time::Duration};

use sqlx::PgConnection;

use super::{Error, Settings, Shared};
use crate::{
    db::relay::{self as table, ConsumerOutbox},
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

/// So many are looked into at a time.
const MOST: i64 = 20;
/// So many messages of a queue are looked at.
const LOOKED: Limits = Limits { messages: 1_000, bytes: 16 << 20, wait: Duration::from_secs(5) };

/// Half-done consumers whose message can come from nowhere any more. One whose queue is not known, or cannot be
/// looked into whole, is left.
pub(super) async fn dangerous(
    shared: &Shared,
    conn: &mut PgConnection,
) -> Result<Vec<ConsumerOutbox>, Error> {
    let halves = table::halves(conn, (shared.clock)() - QUIET, MOST).await?;
    let settings = &shared.settings;
    let named = halves.into_iter().filter_map(|half| {
        let id = ConsumerId(half.consumer_id);
        settings.consumers.iter().find(|consumer| consumer.is(id)).map(|consumer| (half, consumer))
    });
    let named: Vec<(ConsumerOutbox, &Consumer)> = named.collect();
    if named.is_empty() {
        return Ok(vec![]);
    }
    let aside = QueueInspector::connect(&settings.broker, "relay half-done", LOOKED.wait).await?;
    let counting = shared.counting(|counting| counting.clone());
    let mut search = search(settings, &aside, counting).await;
    let mut out = vec![];
    for (half, consumer) in named {
        if search.find(MessageId(half.message_id), consumer).await == Inbound::Gone {
            out.push(half);
        }
    }
    for why in search.notes() {
        tracing::warn!(why, "half-done consumers are left");
    }
    shared.counting(|counting| counting.clone_from(search.counting()));
    aside.close().await;
    Ok(out)
}

/// Where the message of a half-done consumer is.
///
/// # Errors
/// When the broker cannot be asked.
pub async fn inbound(settings: &Settings, half: ConsumerOutbox) -> Result<Inbound, Error> {
    let id = ConsumerId(half.consumer_id);
    let Some(consumer) = settings.consumers.iter().find(|consumer| consumer.is(id)) else {
        return Ok(Inbound::Unknown);
    };
    let aside = QueueInspector::connect(&settings.broker, "relay half-done", LOOKED.wait).await?;
    let mut search = search(settings, &aside, BTreeSet::new()).await;
    let found = search.find(MessageId(half.message_id), consumer).await;
    let failed = search.failed().cloned();
    aside.close().await;
    match (found, failed) {
        (Inbound::Unknown, Some(error)) => Err(error.into()),
        (found, _) => Ok(found),
    }
}

async fn search<'a>(
    settings: &Settings,
    aside: &'a QueueInspector,
    counting: BTreeSet<String>,
) -> Search<'a> {
    let (broker, management) = (&settings.broker, settings.management.as_ref());
    Search::begin(aside, broker, management, Unnamed::Look(counting), LOOKED).await
}
