//! Half-done consumers that nothing else will ever finish. Most heal by themselves, when their message comes
//! again; only one whose message is in neither the queue nor the error queue is delivered for.

use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::{Error, Settings, Shared};
use crate::{
    db::relay::{self as table, Half},
    domain::{consumer::Consumer, diagnosis::Inbound, fault::Fault, id::ConsumerId},
    relay::{self, Aside, Limits},
};

/// A consumer that did something so short ago may still be at it.
pub const QUIET: TimeDelta = TimeDelta::minutes(1);
/// So many are looked into at a time.
const MOST: i64 = 20;
/// So many messages of a queue are looked at.
const LOOKED: Limits = Limits { messages: 1_000, bytes: 16 << 20, wait: Duration::from_secs(5) };

/// Half-done consumers whose message can come from nowhere any more. One whose queue is not known, or cannot be
/// looked into whole, is left.
pub(super) async fn dangerous(
    shared: &Shared,
    conn: &mut PgConnection,
) -> Result<Vec<Half>, Error> {
    let halves = table::halves(conn, (shared.clock)() - QUIET, MOST).await?;
    let settings = &shared.settings;
    let named = halves.into_iter().filter_map(|half| {
        let id = ConsumerId(half.consumer_id);
        settings.consumers.iter().find(|consumer| consumer.is(id)).map(|consumer| (half, consumer))
    });
    let named: Vec<(Half, &Consumer)> = named.collect();
    if named.is_empty() {
        return Ok(vec![]);
    }
    let aside = Aside::connect(&settings.broker, "relay half-done", LOOKED.wait).await?;
    let mut out = vec![];
    for (half, consumer) in named {
        match look(settings, &aside, half, consumer).await {
            Ok(Inbound::Gone) => out.push(half),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, queue = consumer.queue, "cannot look into the queue");
            }
        }
    }
    aside.close().await;
    Ok(out)
}

/// Where the message of a half-done consumer is.
///
/// # Errors
/// When the broker cannot be asked.
pub async fn inbound(settings: &Settings, half: Half) -> Result<Inbound, Error> {
    let id = ConsumerId(half.consumer_id);
    let Some(consumer) = settings.consumers.iter().find(|consumer| consumer.is(id)) else {
        return Ok(Inbound::Unknown);
    };
    let aside = Aside::connect(&settings.broker, "relay half-done", LOOKED.wait).await?;
    let found = look(settings, &aside, half, consumer).await;
    aside.close().await;
    Ok(found?)
}

async fn look(
    settings: &Settings,
    aside: &Aside,
    half: Half,
    consumer: &Consumer,
) -> Result<Inbound, relay::Error> {
    let error_queue = format!("{}_error", consumer.queue);
    for queue in [consumer.queue.as_str(), error_queue.as_str()] {
        let Some(standing) = aside.standing(queue).await? else { continue };
        if standing.consumers > 0 {
            // What they were handed and have not acknowledged is in none of the lists that a client sees.
            let Some(management) = &settings.management else { return Ok(Inbound::Unknown) };
            let unsettled = management.unsettled(&settings.broker, queue, LOOKED.wait).await?;
            if unsettled > 0 || standing.ready > 0 {
                return Ok(Inbound::Unknown);
            }
        }
        if standing.ready == 0 {
            continue;
        }
        let look = aside.look(queue, &LOOKED).await?;
        let ids = look.messages.iter().map(|raw| Fault::read(raw).message);
        for id in ids {
            match id {
                Some(id) if id.0 == half.message_id => return Ok(Inbound::Waits),
                Some(_) => {}
                // It could be any message.
                None => return Ok(Inbound::Unknown),
            }
        }
        if look.cut {
            return Ok(Inbound::Unknown);
        }
    }
    Ok(Inbound::Gone)
}
