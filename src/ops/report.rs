//! Answers as tables: the same rows for headless verbs and for exports from the screen.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{analysis::OrderAnalysis, search::OrderLine};
use crate::{
    db::messages::Message,
    domain::{
        chain::{Node, Proof},
        compare::Agreement,
        diff::{Change, Datum},
        endless,
        event::RecordedEvent,
        fold::State,
        id::Version,
        mask,
        outbox::Delivery,
        report::{Cell, Table},
        text::counted,
    },
};

/// A page of orders. Masked, names are covered.
#[must_use]
pub fn orders(rows: &[OrderLine], masked: bool) -> Table {
    let name = |row: &OrderLine| {
        row.buyer_name
            .as_ref()
            .map(|name| if masked { mask::mask_name(name) } else { name.clone() })
    };
    let known = |flag: Option<bool>| flag.map_or(Cell::None, Cell::Flag);
    Table {
        columns: vec![
            "id",
            "placed",
            "status",
            "tenant",
            "buyer_id",
            "buyer",
            "items",
            "total",
            "deleted",
            "undelivered",
            "letter",
            "drift",
            "stale",
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    Cell::Text(row.id.to_string()),
                    Cell::time(row.placed),
                    Cell::Text(row.status.to_string()),
                    Cell::maybe(row.tenant.clone()),
                    Cell::Text(row.buyer.to_string()),
                    Cell::maybe(name(row)),
                    row.items.map_or(Cell::None, Cell::number),
                    row.total.map_or(Cell::None, Cell::number),
                    Cell::Flag(row.deleted),
                    known(row.undelivered),
                    known(row.letter),
                    known(row.drift),
                    Cell::Flag(row.stale),
                ]
            })
            .collect(),
    }
}

/// Every event of an order with the state after it.
#[must_use]
pub fn timeline(known: &OrderAnalysis) -> Table {
    let points = known.timeline.steps().iter();
    Table {
        columns: vec![
            "version",
            "seq",
            "at",
            "type",
            "status",
            "total",
            "stream",
            "event_id",
            "correlation",
            "causation",
            "archived",
            "frozen_time",
            "uncertain",
        ],
        rows: points
            .map(|point| {
                let event = &point.event;
                let order = point.state.order();
                vec![
                    Cell::number(point.version),
                    Cell::number(event.seq),
                    Cell::time(event.at),
                    Cell::Text(point.meaning.title().to_owned()),
                    Cell::maybe(order.map(|order| order.status.to_string())),
                    order.map_or(Cell::None, |order| Cell::number(order.total)),
                    Cell::maybe(event.stream.map(|id| id.to_string())),
                    Cell::Text(event.id.to_string()),
                    Cell::maybe(event.correlation_id.as_deref().map(|id| mask::veil_id(id, false))),
                    Cell::maybe(event.causation_id.as_deref().map(|id| mask::veil_id(id, false))),
                    Cell::Flag(event.archived),
                    Cell::Flag(point.frozen),
                    Cell::maybe(point.state.uncertain.as_ref().map(|doubt| doubt.why.clone())),
                ]
            })
            .collect(),
    }
}

/// Every event as it is stored. Personal data in bodies and headers is covered.
#[must_use]
pub fn events(known: &OrderAnalysis) -> Table {
    Table {
        columns: vec![
            "seq",
            "event_id",
            "stream",
            "version",
            "type",
            "at",
            "dotnet_type",
            "tenant",
            "correlation",
            "causation",
            "archived",
            "headers",
            "body",
        ],
        rows: known
            .history
            .events
            .iter()
            .map(|event| {
                vec![
                    Cell::number(event.seq),
                    Cell::Text(event.id.to_string()),
                    Cell::maybe(event.stream.map(|id| id.to_string())),
                    Cell::number(event.version),
                    Cell::Text(event.kind.clone()),
                    Cell::time(event.at),
                    Cell::maybe(event.dotnet_type.clone()),
                    Cell::maybe(event.tenant.clone()),
                    Cell::maybe(event.correlation_id.as_deref().map(|id| mask::veil_id(id, false))),
                    Cell::maybe(event.causation_id.as_deref().map(|id| mask::veil_id(id, false))),
                    Cell::Flag(event.archived),
                    Cell::maybe(
                        event.headers.as_ref().map(|held| mask::covered(held, true).to_string()),
                    ),
                    Cell::Text(mask::covered(&event.body, true).to_string()),
                ]
            })
            .collect(),
    }
}

/// The same for programs: bodies and headers as JSON, under the columns' own names.
#[must_use]
pub fn raw_events(known: &OrderAnalysis) -> Value {
    let event = |event: &RecordedEvent| {
        json!({
            "seq_id": event.seq,
            "id": event.id,
            "stream_id": event.stream,
            "version": event.version,
            "type": event.kind,
            "timestamp": endless::json(event.at),
            "mt_dotnet_type": event.dotnet_type,
            "tenant_id": event.tenant,
            "correlation_id": event.correlation_id.as_deref().map(|id| mask::veil_id(id, false)),
            "causation_id": event.causation_id.as_deref().map(|id| mask::veil_id(id, false)),
            "headers": event.headers.as_ref().map(|held| mask::covered(held, true)),
            "is_archived": event.archived,
            "is_binary": event.binary,
            "data": mask::covered(&event.body, true),
        })
    };
    known.history.events.iter().map(event).collect()
}

/// The integration messages around an order.
#[must_use]
pub fn messages(known: &OrderAnalysis) -> Table {
    let id = |id: Option<Uuid>| Cell::maybe(id.map(|id| id.to_string()));
    let delivery = |message: &Message| match message.delivery {
        Delivery::Pending => "pending",
        Delivery::Delivered => "delivered",
        Delivery::Orphan => "orphan",
        Delivery::Unknown => "unknown",
    };
    Table {
        columns: vec![
            "sequence",
            "message_id",
            "type",
            "published",
            "delivery",
            "delivered",
            "destination",
            "conversation",
            "correlation",
            "initiator",
            "outbox",
            "names_order",
        ],
        rows: known
            .history
            .messages
            .iter()
            .map(|message| {
                vec![
                    Cell::number(message.sequence),
                    Cell::Text(message.id.to_string()),
                    Cell::Text(message.kind.clone()),
                    Cell::time(message.published),
                    Cell::Text(delivery(message).to_owned()),
                    message.delivered.map_or(Cell::None, Cell::time),
                    Cell::maybe(message.destination.clone()),
                    id(message.conversation),
                    id(message.correlation),
                    id(message.initiator),
                    Cell::maybe(message.outbox.map(|outbox| outbox.to_string())),
                    Cell::Flag(message.names_order),
                ]
            })
            .collect(),
    }
}

/// The fields that differ; personal ones covered when masked.
#[must_use]
pub fn diff(changes: &[Change], masked: bool) -> Table {
    let shown = |change: &Change, value: &Option<Datum>| match value {
        None => Cell::None,
        Some(Datum::Time(at)) => Cell::time(*at),
        Some(value) if masked && change.field.is_personal() => {
            Cell::Text(mask::mask(&value.to_string()).to_owned())
        }
        Some(value) => Cell::Text(value.to_string()),
    };
    let row = |change: &Change| {
        vec![
            Cell::Text(change.field.to_string()),
            shown(change, &change.before),
            shown(change, &change.after),
            Cell::Text(change.kind().to_string()),
        ]
    };
    Table { columns: vec!["field", "a", "b", "kind"], rows: changes.iter().map(row).collect() }
}

/// One order for a person to read: its state after `version`, and for the present one its three sources side
/// by side. Personal data is covered.
#[must_use]
pub fn order(known: &OrderAnalysis, state: &State, version: Version, is_now: bool) -> Table {
    let mut rows = vec![];
    let mut say = |field: &str, cell: Cell| {
        if cell != Cell::None {
            rows.push(vec![Cell::Text(field.to_owned()), cell]);
        }
    };
    let text = |text: String| Cell::Text(text);
    let covered = |text: &Option<String>| Cell::maybe(text.as_deref().map(mask::mask));
    say("order", text(known.history.id.to_string()));
    if let Some(tenant) = &known.history.tenant {
        say("tenant", text(tenant.clone()));
    }
    say("version", text(format!("{version} of {}", known.timeline.last_version())));
    if let Some(step) = known.timeline.step(version) {
        say("last event", text(step.meaning.title().to_owned()));
        say("at", Cell::time(step.event.at));
    }
    let row = known.history.row.as_ref().filter(|_| is_now);
    match state.order().or(row) {
        None => say("state", text("none: no event of this order was found".to_owned())),
        Some(order) => {
            let from_row = state.order().is_none();
            let source = if from_row { " (from the row; no event tells)" } else { "" };
            say("status", text(format!("{}{source}", order.status)));
            let total = order.unread.as_ref().map(|why| format!("? ({why})"));
            say("total", text(total.unwrap_or_else(|| order.total.to_string())));
            for (number, line) in order.lines.iter().enumerate() {
                let told = format!("{} × book {} at {}", line.quantity, line.book, line.price);
                say(&format!("line {}", number + 1), text(told));
            }
            say("placed", order.created_at.map_or(Cell::None, Cell::time));
            say("modified", order.last_modified_at.map_or(Cell::None, Cell::time));
            say("buyer", Cell::maybe(order.buyer_id.map(|id| id.to_string())));
            let name = order.buyer.as_ref().and_then(|buyer| buyer.name.as_deref());
            say("buyer name", Cell::maybe(name.map(mask::mask_name)));
            say("note", covered(&order.note));
            if order.cancel_reason.is_some() {
                say("cancel reason", covered(&order.cancel_reason));
            }
            if row.unwrap_or(order).is_deleted {
                say("deleted", Cell::Flag(true));
            }
        }
    }
    if let Some(doubt) = &state.uncertain {
        say("uncertain", text(format!("since v{}: {}", doubt.version, doubt.why)));
    }
    if is_now {
        let found = &known.comparison;
        let side = |status: Option<_>, words: String| match status {
            Some(status) => text(format!("{status}, {words}")),
            None => text(words),
        };
        let sure = if found.certain { "reference" } else { "reference, not certain" };
        say("events say", side(known.events_status(), sure.to_owned()));
        say("row says", side(known.row_status(), agreement(&found.row)));
        say("view says", side(known.view_status(), agreement(&found.summary)));
        if let Some(divergence) = &found.divergence {
            say("first difference", text(divergence.to_string()));
        }
        say("messages", Cell::number(known.history.messages.len()));
        say("dead letters", Cell::number(known.history.letters.len()));
    }
    Table { columns: vec!["field", "value"], rows }
}

fn agreement(agreement: &Agreement) -> String {
    match agreement {
        Agreement::Match => "the same".to_owned(),
        Agreement::Behind { at, events } => {
            format!("lags at v{at} by {}", counted(*events, "event"))
        }
        Agreement::Archived => "not kept up, the events are archived".to_owned(),
        Agreement::Differs(differences) => {
            let fields: Vec<_> = differences.iter().map(|d| d.field.to_string()).collect();
            format!("DIFFERS in {}", fields.join(", "))
        }
        Agreement::Missing => "MISSING".to_owned(),
        Agreement::Alone => "row only: no event was found".to_owned(),
        Agreement::Absent => "not there, and need not be".to_owned(),
        Agreement::Unknown(why) => format!("not known: {why}"),
    }
}

/// What is known of a message that has no row.
fn gone(node: &Node, proof: &Proof) -> Option<String> {
    let state = match (node, proof) {
        (Node::MissingMessage { .. }, Proof::Absent(_)) => "delivered or purged",
        (Node::MissingMessage { .. }, _) => "not searched",
        _ => return None,
    };
    Some(state.to_owned())
}

/// Every hop of the chain, by event.
#[must_use]
pub fn chain(analysis: &OrderAnalysis) -> Table {
    let mut rows = vec![];
    for path in analysis.chain.paths() {
        for hop in analysis.chain.hops_of(path) {
            let (from, to) = (analysis.chain.node(hop.from), analysis.chain.node(hop.to));
            rows.push(vec![
                path.version.map_or(Cell::None, Cell::number),
                Cell::Text(from.label()),
                Cell::Text(hop.proof.word().to_owned()),
                Cell::Text(to.label()),
                Cell::Text(to.kind().to_owned()),
                Cell::maybe(to.state().or_else(|| gone(to, &hop.proof))),
                to.at().map_or(Cell::None, Cell::time),
                Cell::maybe(to.id()),
                Cell::Text(hop.proof.why()),
            ]);
        }
    }
    Table {
        columns: vec!["version", "from", "hop", "to", "kind", "state", "at", "id", "why"],
        rows,
    }
}
