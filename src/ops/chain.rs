//! What is read for the causal chain of an order, within the timeline's few milliseconds.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::{
    db::{
        Error, Layout, Table,
        chain::{self, Carried},
        messages::Message,
        unless_late,
    },
    domain::{
        chain::{Facts, LEEWAY, Received, Sent, Unsearched, inbox_ids},
        contract,
        event::{EventKind, RecordedEvent},
        outbox::{Delivery, Owner},
        timeline::frozen_default,
    },
};

/// The most message ids that are looked up in the inbox, those of the newest messages and events first.
const MOST_IDS: usize = 500;
/// The most events whose command is looked for by time alone, the newest.
const MOST_MOMENTS: usize = 8;
/// A command counts as one of an event's time only if it was done so soon after it.
const REACH: TimeDelta = TimeDelta::seconds(5);

/// Reads what the chain needs beside the history. `unsearched`: why messages may be missing, if they may.
///
/// # Errors
/// When the database fails; what takes too long is left out and said.
pub async fn facts(
    conn: &mut PgConnection,
    layout: &Layout,
    events: &[RecordedEvent],
    messages: &[Message],
    unsearched: Option<String>,
) -> Result<Facts, Error> {
    let mut unsearched = Unsearched { messages: unsearched, ..Unsearched::default() };
    if let Some(why) = layout.unread(Table::OutboxMessages) {
        unsearched.messages = Some(why);
    }
    let sequences: Vec<i64> = messages.iter().map(|message| message.sequence).collect();
    let carried = if sequences.is_empty() {
        vec![]
    } else {
        chain::carried(conn, layout, &sequences).await?
    };
    let messages = sent(messages, carried);
    let received = received(conn, layout, events, &messages, &mut unsearched).await?;
    let waits = messages.iter().any(|message| message.delivery == Delivery::Pending);
    let head = if waits && chain::finds_head(layout) {
        unless_late(conn, async |conn| chain::head(conn, layout).await).await?.flatten()
    } else {
        None
    };
    Ok(Facts { messages, received, head, unsearched })
}

async fn received(
    conn: &mut PgConnection,
    layout: &Layout,
    events: &[RecordedEvent],
    messages: &[Sent],
    unsearched: &mut Unsearched,
) -> Result<Vec<Received>, Error> {
    if let Some(why) = layout.unread(Table::InboxStates) {
        unsearched.inbox = Some(format!("inbox rows: {why}"));
        return Ok(vec![]);
    }
    let mut out = vec![];
    if let Some(hidden) = layout.hiding(&[Table::InboxStates]) {
        unsearched.inbox = Some(format!("inbox rows: {}", hidden.why));
    }
    let mut ids = inbox_ids(events, messages);
    if ids.len() > MOST_IDS {
        unsearched.inbox = Some(format!("inbox rows: of the newest {MOST_IDS} ids only"));
        ids.truncate(MOST_IDS);
    }
    if !chain::finds_received(layout) {
        unsearched.inbox = Some("inbox rows: no index on inbox_state(message_id)".to_owned());
    } else if !ids.is_empty() {
        let rows = async |conn: &mut PgConnection| chain::received(conn, layout, &ids).await;
        match unless_late(conn, rows).await? {
            Some(found) => out = found,
            None => unsearched.inbox = Some("inbox rows: the search took too long".to_owned()),
        }
    }
    let mut moments = moments(events, messages);
    if moments.is_empty() {
        return Ok(out);
    }
    if moments.len() > MOST_MOMENTS {
        unsearched.commands =
            Some(format!("commands: around the newest {MOST_MOMENTS} events only"));
        moments.drain(..moments.len() - MOST_MOMENTS);
    }
    if !chain::finds_handled(layout) {
        unsearched.commands =
            Some("commands by time: no index on inbox_state(delivered)".to_owned());
        return Ok(out);
    }
    let rows =
        async |conn: &mut PgConnection| chain::handled(conn, layout, &moments, LEEWAY, REACH).await;
    match unless_late(conn, rows).await? {
        Some(found) => {
            let key = |row: &Received| (row.message, row.consumer);
            let known: std::collections::HashSet<_> = out.iter().map(key).collect();
            out.extend(found.into_iter().filter(|row| !known.contains(&key(row))));
        }
        None => unsearched.commands = Some("commands by time: the search took too long".to_owned()),
    }
    Ok(out)
}

/// When events were stored whose message has no row any more, so that only time may lead to their command.
fn moments(events: &[RecordedEvent], messages: &[Sent]) -> Vec<DateTime<Utc>> {
    let has_message = |kind: EventKind| {
        messages
            .iter()
            .any(|message| contract::short(&message.kind) == contract::short(kind.contract()))
    };
    let alone = events.iter().filter(|event| {
        let kind = EventKind::of(&event.kind, event.dotnet_type.as_deref());
        kind.is_some_and(|kind| !has_message(kind)) && event.at != frozen_default()
    });
    alone.map(|event| event.at).collect()
}

/// Messages with what they carry; what was not read of one stays open.
pub(crate) fn sent(messages: &[Message], carried: Vec<Carried>) -> Vec<Sent> {
    let mut carried: std::collections::HashMap<i64, Carried> =
        carried.into_iter().map(|carried| (carried.sequence, carried)).collect();
    let sent = |message: &Message| {
        // Between two statements a row may have been delivered and removed.
        let carried = carried.remove(&message.sequence);
        let (inbox, activity, opened) =
            carried.map_or((None, None, None), |own| (own.inbox, own.activity, own.opened));
        Sent {
            sequence: message.sequence,
            id: message.id,
            kind: message.kind.clone(),
            published: message.published,
            delivery: message.delivery,
            delivered: message.delivered,
            owner: Owner::of(
                message.outbox,
                inbox.map(|(message, _)| message),
                inbox.map(|(_, consumer)| consumer),
            ),
            opened,
            conversation: message.conversation,
            correlation: message.correlation,
            initiator: message.initiator,
            activity,
            destination: message.destination.clone(),
            names_order: message.names_order,
        }
    };
    messages.iter().map(sent).collect()
}
