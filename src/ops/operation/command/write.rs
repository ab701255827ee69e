//! Writes what was decided, table by table; the event comes last, when everything else is written.

use serde_json::{Value, json};

use super::{
    super::{
        check::{Check, Verdict},
        error::{Moved, PlanError},
        plan::Effect,
        writer::Writer,
    },
    facts::Facts,
    metadata::EventMetadata,
};
use crate::{
    db::{
        self, Table,
        settings::{Projection, Publisher},
        write::{NewMessage, NewStored, Place, Rows, Tx},
    },
    domain::{
        body::{body, meaning, summary_json},
        contract,
        decide::{Change, Refusal},
        dialect::Dialect,
        envelope::{self, Publication},
        event::{EventKind, NewEvent, RecordedEvent},
        id::{EventId, MessageId, OrderId, OutboxId, SeqId, StreamId, Version},
        order::{Order, Status},
        outbox::Owner,
        snapshot::Snapshot,
    },
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
    dialect: Dialect,
    body: Value,
    /// In the order's history.
    pub position: Version,
}

/// The rows of a command, on their way.
#[derive(Debug, Default)]
struct Writing(Vec<Written>);

#[derive(Debug)]
struct Written {
    place: Place,
    effect: Effect,
    /// What has moved if no row was there to change.
    moves: Option<&'static str>,
}

impl Writing {
    fn added(&mut self, table: Table, change: String, place: Place) {
        let effect = Effect { place: table.name().into(), change, before: None, after: None };
        self.0.push(Written { place, effect, moves: None });
    }

    fn changed(
        &mut self,
        table: Table,
        change: String,
        before: Option<Value>,
        place: Place,
        moves: &'static str,
    ) {
        let effect = Effect { place: table.name().into(), change, before, after: None };
        self.0.push(Written { place, effect, moves: Some(moves) });
    }

    /// What was written, as it is stored.
    fn told(self, mut rows: Rows) -> Result<Vec<Effect>, PlanError> {
        let tell = |Written { place, effect, moves }| match (rows.next(place), moves) {
            (None, Some(what)) => Err(moved(what)),
            (after, _) => Ok(Effect { after, ..effect }),
        };
        self.0.into_iter().map(tell).collect()
    }
}

/// Writes all but the event. What is returned has to be appended.
pub async fn rows(
    tx: &mut Tx<'_>,
    writer: &Writer,
    facts: &Facts,
    change: &Change,
    stamp: &EventMetadata<'_>,
) -> Result<(Vec<Effect>, Option<Append>), PlanError> {
    let mut writing = Writing::default();
    let mut append = None;
    match change {
        Change::Event(event) => {
            order_rows(tx, facts, event, &mut writing)?;
            let next = stream(tx, writer, facts, event, stamp, &mut writing)?;
            if writer.layout.is_managed() && writer.settings.projection == Projection::Inline {
                summary(tx, facts, event, &next, stamp, &mut writing)?;
            }
            if writer.settings.publisher == Publisher::Outbox {
                message(tx, writer, facts, event, stamp, &mut writing)?;
            }
            append = Some(next);
        }
        Change::Deleted(order) | Change::Restored(order) => {
            let place = tx.set_deleted(order)?;
            let change = format!(
                "is_deleted {} → {}, last_modified_at",
                !order.is_deleted, order.is_deleted
            );
            writing.changed(Table::Orders, change, before(facts), place, "the order's row");
        }
        Change::BuyerCreated { id, buyer } => {
            let place = tx.add_buyer(*id, buyer)?;
            writing.added(Table::Buyers, "+ buyer".to_owned(), place);
        }
        Change::AddressUpdated { id, buyer } => {
            let place = tx.set_address(*id, buyer)?;
            let change = "address_street, address_city, address_province".to_owned();
            let before = facts.buyer_row.as_ref().map(|seen| seen.row.clone());
            writing.changed(Table::Buyers, change, before, place, "the buyer's row");
        }
    }
    let rows = tx.send().await.map_err(|error| match change {
        Change::Event(event) => taken(error, &event.order),
        _ => PlanError::from(error),
    })?;
    Ok((writing.told(rows)?, append))
}

/// Appends the event: the last statement before the commit.
pub async fn append(
    tx: &mut Tx<'_>,
    append: &Append,
    stamp: &EventMetadata<'_>,
) -> Result<Effect, db::Error> {
    let dotnet_type = append.dialect.dotnet_type(append.kind);
    let event = NewStored {
        dotnet_type: dotnet_type.as_deref(),
        tenant: append.dialect.tenant.as_deref(),
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
    Ok(Effect { place: Table::Events.name().into(), change, before: None, after })
}

fn order_rows(
    tx: &mut Tx<'_>,
    facts: &Facts,
    event: &NewEvent,
    writing: &mut Writing,
) -> Result<(), db::Error> {
    let order = &event.order;
    if event.kind == EventKind::Placed {
        let place = tx.add_order(order)?;
        let items = order.lines.len();
        writing.added(Table::Orders, format!("+ order, {} in {items} items", order.total), place);
        let place = tx.add_lines(order)?;
        for line in &order.lines {
            let change =
                format!("+ {} × book {} at {}", line.quantity, line.book.short(), line.price);
            writing.added(Table::OrderItems, change, place);
        }
        return Ok(());
    }
    let place = tx.set_status(
        order,
        Status::New,
        facts.order.as_ref().and_then(|order| order.seen.as_ref()),
    )?;
    let change = format!("status {} → {}, last_modified_at", Status::New, order.status);
    writing.changed(Table::Orders, change, before(facts), place, "the order's row");
    Ok(())
}

fn stream(
    tx: &mut Tx<'_>,
    writer: &Writer,
    facts: &Facts,
    event: &NewEvent,
    stamp: &EventMetadata<'_>,
    writing: &mut Writing,
) -> Result<Append, PlanError> {
    let known = facts.order.as_ref();
    let position = Version(known.map_or(0, |order| order.version().0) + 1);
    let own = known.is_none_or(|order| order.own_stream);
    let version = known.filter(|_| own).and_then(|order| order.stream.as_ref()?.version);
    let id = if own { StreamId(event.order.id.0) } else { StreamId(stamp.derived.timed("stream")) };
    let dialect = match known.map(|order| &order.dialect) {
        Some(Ok(dialect)) => dialect.clone(),
        Some(Err(why)) => {
            return Err(PlanError::Blocked(vec![Check::new(Verdict::Blocking, why.clone())]));
        }
        None => Dialect::ours(None),
    };
    let tenant = dialect.tenant.clone();
    let append = |version| Append {
        stream: id,
        version,
        kind: event.kind,
        body: dialect.spell(body(event)),
        dialect,
        position,
    };
    let Some(version) = version else {
        let place = tx.add_stream(id, tenant.as_deref(), stamp.at)?;
        let whose = if own { "the order's own" } else { "of this event, as its others are" };
        writing.added(Table::Streams, format!("+ stream {whose}"), place);
        return Ok(append(1));
    };
    let append = append(version + 1);
    let snapshot = due(writer, facts, event, &append);
    let place = tx.advance_stream((id, tenant.as_deref()), version, snapshot.as_ref(), stamp.at)?;
    let snapshot = if snapshot.is_some() { ", snapshot" } else { "" };
    let change = format!("version {version} → {}{snapshot}", version + 1);
    let before = Some(json!({ "id": id, "version": version }));
    writing.changed(Table::Streams, change, before, place, "the stream's version");
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
        tenant: None,
        correlation_id: None,
        causation_id: None,
        headers: None,
        archived: false,
        body: append.body.clone(),
        binary: false,
        unread: None,
    };
    let id: OrderId = event.order.id;
    let state = order.timeline.latest().after(append.position, id, &meaning(&stored));
    Some(Snapshot { version: append.position, state }.write())
}

fn summary(
    tx: &mut Tx<'_>,
    facts: &Facts,
    event: &NewEvent,
    append: &Append,
    stamp: &EventMetadata<'_>,
    writing: &mut Writing,
) -> Result<(), db::Error> {
    let order = &event.order;
    let document = summary_json(order);
    let place = tx.put_summary(order.id, &document, append.position.0, stamp.at)?;
    match facts.order.as_ref().and_then(|order| order.summary.as_ref()) {
        Some(before) => {
            let change = format!("status {} → {}", Status::New, order.status);
            let before = Some(before.data.clone());
            writing.changed(Table::Summaries, change, before, place, "the order's document");
        }
        None => writing.added(Table::Summaries, format!("+ document, {}", order.status), place),
    }
    Ok(())
}

fn message(
    tx: &mut Tx<'_>,
    writer: &Writer,
    facts: &Facts,
    event: &NewEvent,
    stamp: &EventMetadata<'_>,
    writing: &mut Writing,
) -> Result<(), db::Error> {
    let newest = || facts.destination.as_deref().and_then(broker_of);
    let broker =
        writer.settings.broker.clone().or_else(newest).unwrap_or_else(|| NOWHERE.to_owned());
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
        let place = tx.add_outbox(outbox, stamp.at)?;
        writing.added(Table::OutboxStates, "+ outbox".to_owned(), place);
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
    let place = tx.add_message(&row, stamp.number)?;
    let name = contract::name(event.kind.contract());
    writing.added(Table::OutboxMessages, format!("+ {name}"), place);
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

/// The order's row as it was.
fn before(facts: &Facts) -> Option<Value> {
    facts.order.as_ref()?.seen.as_ref().map(|seen| seen.row.clone())
}

/// Something held was not as it was read a moment ago.
fn moved(what: &str) -> PlanError {
    PlanError::Conflict(Moved { what: what.to_owned(), who: None, when: None })
}

/// A row of the order or its stream is there already.
fn taken(error: db::Error, order: &Order) -> PlanError {
    match error {
        db::Error::Duplicate { table, .. } if Table::Orders.is_called(&table) => {
            PlanError::Refused(Refusal::OrderExists(order.id))
        }
        other => version_taken(other),
    }
}

/// Stream and version are taken: somebody else appended first. By the columns or the table, never by the
/// index's name, which differs from one version of Marten to the next.
pub fn version_taken(error: db::Error) -> PlanError {
    match &error {
        db::Error::Duplicate { table, columns, .. } => {
            let appended = columns.contains("stream_id") && columns.contains("version");
            let table = table.to_ascii_lowercase();
            if appended || table.starts_with("mt_events") || table.starts_with("mt_streams") {
                return moved("the stream's version");
            }
            PlanError::from(error)
        }
        _ => PlanError::from(error),
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
        assert!(matches!(duplicate("mt_events_default", ""), PlanError::Conflict(_)));
        assert!(matches!(
            duplicate("x", "stream_id, version, is_archived"),
            PlanError::Conflict(_)
        ));
        assert!(matches!(duplicate("outbox_state", "outbox_id"), PlanError::Database(_)));
    }
}
