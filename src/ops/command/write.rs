//! Writes what was decided, table by table; the event comes last, when everything else is written.

use serde_json::{Value, json};

use super::{facts::Facts, stamp::Stamp};
use crate::{
    db::{
        self, Table,
        settings::{Projection, Publisher},
        write::{NewMessage, NewStored, Tx, newest_destination},
    },
    domain::{
        body::{body, meaning, summary_json},
        decide::{Change, Refusal},
        envelope::{self, Publication},
        event::{EventKind, NewEvent, RecordedEvent},
        id::{EventId, MessageId, OrderId, OutboxId, SeqId, StreamId, Version},
        order::{Order, Status},
        outbox::Owner,
        snapshot::Snapshot,
    },
    ops::plan::{Effect, Error, Moved, Writer},
};

/// How a broker's address begins where nothing in the database tells.
const NOWHERE: &str = "rabbitmq://localhost/";

/// What an event needs once everything else is written.
#[derive(Debug)]
pub struct Append {
    stream: StreamId,
    /// In its stream.
    version: i64,
    kind: EventKind,
    body: Value,
    /// In the order's history.
    pub position: Version,
}

/// Writes all but the event. What is returned has to be appended.
pub async fn rows(
    tx: &mut Tx<'_>,
    writer: &Writer,
    facts: &Facts,
    change: &Change,
    stamp: &Stamp<'_>,
) -> Result<(Vec<Effect>, Option<Append>), Error> {
    let mut effects = Vec::new();
    match change {
        Change::Event(event) => {
            order_rows(tx, facts, event, &mut effects).await?;
            let append = stream(tx, writer, facts, event, stamp, &mut effects).await?;
            if writer.layout.is_managed() && writer.settings.projection == Projection::Inline {
                summary(tx, facts, event, &append, stamp, &mut effects).await?;
            }
            if writer.settings.publisher == Publisher::Outbox {
                message(tx, writer, event, stamp, &mut effects).await?;
            }
            return Ok((effects, Some(append)));
        }
        Change::Deleted(order) | Change::Restored(order) => {
            let after = tx.set_deleted(order).await?.ok_or_else(|| moved("the order's row"))?;
            let change = if order.is_deleted {
                "is_deleted false → true"
            } else {
                "is_deleted true → false"
            };
            effects.push(changed(
                Table::Orders,
                change.to_owned() + ", last_modified_at",
                facts,
                after,
            ));
        }
        Change::BuyerCreated { id, buyer } => {
            let after = tx.add_buyer(*id, buyer).await?;
            effects.push(added(Table::Buyers, "+ buyer".to_owned(), after));
        }
        Change::AddressUpdated { id, buyer } => {
            let after =
                tx.set_address(*id, buyer).await?.ok_or_else(|| moved("the buyer's row"))?;
            effects.push(Effect {
                table: Table::Buyers.name(),
                change: "address_street, address_city, address_province".to_owned(),
                before: facts.buyer_row.as_ref().map(|seen| seen.row.clone()),
                after: Some(after),
            });
        }
    }
    Ok((effects, None))
}

/// Appends the event: the last statement before the commit.
pub async fn append(
    tx: &mut Tx<'_>,
    append: &Append,
    stamp: &Stamp<'_>,
) -> Result<Effect, db::Error> {
    let event = NewStored {
        id: EventId(stamp.derived.id("event")),
        stream: append.stream,
        version: append.version,
        kind: append.kind,
        body: &append.body,
        headers: &stamp.headers,
        correlation: &stamp.correlation,
        causation: &stamp.causation,
        at: stamp.at,
    };
    let after = tx.append(&event, stamp.number).await?;
    let (kind, position) = (append.kind.title(), append.position);
    let change = format!("+ {kind} v{position} (headers: user, reason, operation)");
    Ok(added(Table::Events, change, after))
}

async fn order_rows(
    tx: &mut Tx<'_>,
    facts: &Facts,
    event: &NewEvent,
    effects: &mut Vec<Effect>,
) -> Result<(), Error> {
    let order = &event.order;
    if event.kind == EventKind::Placed {
        let after = tx.add_order(order).await.map_err(|error| taken(error, order))?;
        let items = order.lines.len();
        effects.push(added(
            Table::Orders,
            format!("+ order, {} in {items} items", order.total),
            after,
        ));
        for (line, after) in
            order.lines.iter().zip(tx.add_lines(order).await.map_err(|error| taken(error, order))?)
        {
            let change =
                format!("+ {} × book {} at {}", line.quantity, line.book.short(), line.price);
            effects.push(added(Table::OrderItems, change, Some(after)));
        }
        return Ok(());
    }
    let after = tx.set_status(order, Status::New).await?.ok_or_else(|| moved("the order's row"))?;
    let change = format!("status {} → {}, last_modified_at", Status::New, order.status);
    effects.push(changed(Table::Orders, change, facts, after));
    Ok(())
}

async fn stream(
    tx: &mut Tx<'_>,
    writer: &Writer,
    facts: &Facts,
    event: &NewEvent,
    stamp: &Stamp<'_>,
    effects: &mut Vec<Effect>,
) -> Result<Append, Error> {
    let known = facts.order.as_ref();
    let position = Version(known.map_or(0, |order| order.version().0) + 1);
    let own = known.is_none_or(|order| order.own_stream);
    let version = known.filter(|_| own).and_then(|order| order.stream.as_ref()?.version);
    let id = if own { StreamId(event.order.id.0) } else { StreamId(stamp.derived.timed("stream")) };
    let append =
        |version| Append { stream: id, version, kind: event.kind, body: body(event), position };
    let Some(version) = version else {
        let after = tx.add_stream(id, stamp.at).await.map_err(version_taken)?;
        let whose = if own { "the order's own" } else { "of this event, as its others are" };
        effects.push(added(Table::Streams, format!("+ stream {whose}"), after));
        return Ok(append(1));
    };
    let append = append(version + 1);
    let snapshot = due(writer, facts, event, &append);
    let after = tx
        .advance_stream(id, version, snapshot.as_ref(), stamp.at)
        .await?
        .ok_or_else(|| moved("the stream's version"))?;
    let snapshot = if snapshot.is_some() { ", snapshot" } else { "" };
    effects.push(Effect {
        table: Table::Streams.name(),
        change: format!("version {version} → {}{snapshot}", version + 1),
        before: Some(json!({ "id": id, "version": version })),
        after: Some(after),
    });
    Ok(append)
}

/// The snapshot that is due with this event: where the history is one stream, every so many events.
fn due(writer: &Writer, facts: &Facts, event: &NewEvent, append: &Append) -> Option<Value> {
    let every = writer.settings.snapshot_every?;
    let order = facts.order.as_ref()?;
    let alone = order.timeline.steps().iter().all(|step| step.event.stream == Some(append.stream));
    let keeps = writer.layout.has_column(Table::Streams, "snapshot");
    if append.version % every != 0 || append.version != append.position.0 || !alone || !keeps {
        return None;
    }
    let stored = RecordedEvent {
        seq: SeqId(i64::MAX),
        id: EventId(uuid::Uuid::nil()),
        stream: Some(append.stream),
        version: append.position,
        kind: event.kind.alias().to_owned(),
        at: event.occurred_at,
        dotnet_type: None,
        correlation_id: None,
        causation_id: None,
        headers: None,
        archived: false,
        body: append.body.clone(),
        binary: false,
    };
    let id: OrderId = event.order.id;
    let state = order.timeline.latest().after(append.position, id, &meaning(&stored));
    Some(Snapshot { version: append.position, state }.write())
}

async fn summary(
    tx: &mut Tx<'_>,
    facts: &Facts,
    event: &NewEvent,
    append: &Append,
    stamp: &Stamp<'_>,
    effects: &mut Vec<Effect>,
) -> Result<(), Error> {
    let order = &event.order;
    let document = summary_json(order);
    let after = tx.put_summary(order.id, &document, append.position.0, stamp.at).await?;
    let before = facts.order.as_ref().and_then(|order| order.summary.as_ref());
    let change = match before {
        Some(_) => format!("status {} → {}", Status::New, order.status),
        None => format!("+ document, {}", order.status),
    };
    effects.push(Effect {
        table: Table::Summaries.name(),
        change,
        before: before.map(|document| document.data.clone()),
        after,
    });
    Ok(())
}

async fn message(
    tx: &mut Tx<'_>,
    writer: &Writer,
    event: &NewEvent,
    stamp: &Stamp<'_>,
    effects: &mut Vec<Effect>,
) -> Result<(), Error> {
    let layout = tx.layout();
    let broker = match &writer.settings.broker {
        Some(broker) => broker.clone(),
        None => {
            let newest = newest_destination(tx.conn(), layout).await?;
            newest.as_deref().and_then(broker_of).unwrap_or_else(|| NOWHERE.to_owned())
        }
    };
    let origin = stamp.origin;
    let owner = match origin {
        Some(origin) => Owner::Consumer { message: origin.message, consumer: origin.consumer },
        None => Owner::Bus(OutboxId(stamp.derived.new_id("outbox"))),
    };
    let source = match origin {
        Some(origin) => origin.queue.clone(),
        None => format!("{broker}{}_orderscope_bus?temporary=true", plain(&stamp.host.machine)),
    };
    let message = MessageId(stamp.derived.new_id("message"));
    let conversation = origin
        .and_then(|origin| origin.conversation)
        .unwrap_or_else(|| stamp.derived.new_id("conversation"));
    let initiator = origin.and_then(|origin| origin.initiator);
    let written = Publication {
        kind: event.kind,
        order: &event.order,
        message: message.0,
        event: stamp.derived.timed("integration event"),
        conversation,
        initiator,
        source: &source,
        broker: &broker,
        at: stamp.at,
        host: &stamp.host,
    }
    .write();
    if let Owner::Bus(outbox) = owner {
        let after = tx.add_outbox(outbox, stamp.at).await?;
        effects.push(added(Table::OutboxStates, "+ outbox".to_owned(), after));
    }
    let headers = envelope::headers(Some(&stamp.traceparent));
    let row = NewMessage {
        id: message,
        owner,
        message_type: &written.message_type,
        body: &written.body,
        headers: headers.as_deref(),
        properties: &written.properties,
        conversation,
        initiator,
        source: &source,
        destination: &written.destination,
        at: stamp.at,
    };
    let after = tx.add_message(&row, stamp.number).await?;
    let name = event.kind.contract().rsplit(':').next().unwrap_or_default();
    effects.push(added(Table::OutboxMessages, format!("+ {name}"), after));
    Ok(())
}

/// `rabbitmq://host:port/vhost/` of an address.
fn broker_of(address: &str) -> Option<String> {
    let path = address.split('?').next()?;
    let end = path.rfind('/')?;
    path.contains("://").then(|| path[..=end].to_owned()).filter(|broker| broker.len() > 11)
}

/// Letters and digits only, as MassTransit makes temporary queue names.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

fn added(table: Table, change: String, after: Option<Value>) -> Effect {
    Effect { table: table.name(), change, before: None, after }
}

fn changed(table: Table, change: String, facts: &Facts, after: Value) -> Effect {
    let seen = facts.order.as_ref().and_then(|order| order.seen.as_ref());
    Effect {
        table: table.name(),
        change,
        before: seen.map(|seen| seen.row.clone()),
        after: Some(after),
    }
}

/// Something held was not as it was read a moment ago.
fn moved(what: &str) -> Error {
    Error::Conflict(Moved { what: what.to_owned(), who: None, when: None })
}

/// A row of the order is there already.
fn taken(error: db::Error, order: &Order) -> Error {
    match error {
        db::Error::Duplicate { table, .. } if Table::Orders.is_called(&table) => {
            Error::Refused(Refusal::OrderExists(order.id))
        }
        other => Error::from(other),
    }
}

/// Stream and version are taken: somebody else appended first. By the columns or the table, never by the
/// index's name, which differs from one version of Marten to the next.
pub fn version_taken(error: db::Error) -> Error {
    match &error {
        db::Error::Duplicate { table, columns, .. } => {
            let appended = columns.contains("stream_id") && columns.contains("version");
            let table = table.to_ascii_lowercase();
            if appended || table.starts_with("mt_events") || table.starts_with("mt_streams") {
                return moved("the stream's version");
            }
            Error::from(error)
        }
        _ => Error::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_what_stands_before_the_exchange() {
        let broker = |address| broker_of(address);
        assert_eq!(
            broker("rabbitmq://h:5/v/BookWorm:X?a=b/c").as_deref(),
            Some("rabbitmq://h:5/v/")
        );
        assert_eq!(broker("rabbitmq://h/x").as_deref(), Some("rabbitmq://h/"));
        assert_eq!(broker("exchange:name"), None);
        assert_eq!(broker("rabbitmq://"), None);
    }

    #[test]
    fn a_taken_version_is_a_conflict_whatever_the_index_is_called() {
        let duplicate = |table: &str, columns: &str| {
            version_taken(db::Error::Duplicate {
                table: table.to_owned(),
                columns: columns.to_owned(),
                message: String::new(),
            })
        };
        assert!(matches!(duplicate("mt_events_default", ""), Error::Conflict(_)));
        assert!(matches!(duplicate("x", "stream_id, version, is_archived"), Error::Conflict(_)));
        assert!(matches!(duplicate("outbox_state", "outbox_id"), Error::Database(_)));
    }
}
