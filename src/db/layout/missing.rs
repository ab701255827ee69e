//! What a database lacks, and what that costs, in an operator's words.

use super::{Index, Layout, Table};
use crate::domain::coverage::NotLookedAt;

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// `no index on mt_events(stream_id)`
    pub what: String,
    /// `a timeline reads the whole event table, bounded by 2 s`
    pub cost: &'static str,
}

const INDEXES: [(Index, Table, &str, &str); 17] = [
    (
        Index::OrdersByPlaced,
        Table::Orders,
        "orders(created_at, id)",
        "lists are sorted by the clock in the order's id instead",
    ),
    (
        Index::OrdersByBuyer,
        Table::Orders,
        "orders(buyer_id)",
        "a buyer's orders are looked for in the newest orders only",
    ),
    (
        Index::LinesByOrder,
        Table::OrderItems,
        "order_items(order_id)",
        "items and totals are not shown in lists",
    ),
    (
        Index::LinesByBook,
        Table::OrderItems,
        "order_items(book_id, order_id)",
        "book: looks through the newest orders, for at most 2 s",
    ),
    (
        Index::OrderTail,
        Table::Orders,
        "the ends of orders.id",
        "an id tail is looked for newest first, for at most 2 s",
    ),
    (
        Index::BuyerTail,
        Table::Buyers,
        "the ends of buyers.id",
        "buyer: with a tail reads all buyers, for at most 2 s",
    ),
    (
        Index::BuyerNames,
        Table::Buyers,
        "parts of buyers.name",
        "a buyer's name is looked for newest order first, for at most 2 s",
    ),
    (
        Index::NoteWords,
        Table::Orders,
        "the words of orders.note",
        "notes are searched newest first, for at most 2 s",
    ),
    (
        Index::EventStream,
        Table::Events,
        "mt_events(stream_id)",
        "a timeline searches the events of 30 days around the order, for at most 2 s",
    ),
    (
        Index::EventBody,
        Table::Events,
        "the order named in mt_events.data",
        "events in other streams are looked for within 30 days of the order, for at most 2 s",
    ),
    (
        Index::EventCorrelation,
        Table::Events,
        "mt_events(correlation_id)",
        "corr: searches the newest events only",
    ),
    (
        Index::EventId,
        Table::Events,
        "mt_events(id)",
        "an event is looked for by its id in the newest events only",
    ),
    (
        Index::MessageBody,
        Table::OutboxMessages,
        "the order named in outbox_message.body",
        "an order's messages are looked for in the newest messages only",
    ),
    (
        Index::MessageConversation,
        Table::OutboxMessages,
        "outbox_message(conversation_id)",
        "conversations are looked for in the newest messages only",
    ),
    (
        Index::MessageId,
        Table::OutboxMessages,
        "outbox_message(message_id)",
        "a message is looked for by its id in the newest messages only",
    ),
    (
        Index::SummaryTotal,
        Table::Summaries,
        "totals of mt_doc_ordersummaryview",
        "total: adds up order lines newest first, for at most 2 s",
    ),
    (
        Index::LetterEvent,
        Table::Letters,
        "the events of mt_doc_deadletterevent",
        "dead letters are looked through whole, the newest of them only",
    ),
];

const WITHOUT: [(Table, &str); 11] = [
    (Table::Orders, "there is nothing to search; is this the database of the Ordering Service?"),
    (Table::OrderItems, "items, totals and books are unknown"),
    (Table::Buyers, "buyers are shown by their id only"),
    (Table::Events, "there are no timelines"),
    (Table::Streams, "snapshots and archived streams are unknown"),
    (Table::Summaries, "the summary view is not compared"),
    (Table::Letters, "dead letters are unknown"),
    (Table::Progression, "projection positions are unknown"),
    (Table::OutboxMessages, "undelivered messages are unknown"),
    (Table::OutboxStates, "pending messages cannot be told from delivered ones"),
    (Table::InboxStates, "pending replies of consumers cannot be told from delivered ones"),
];

impl Layout {
    /// What is missing and what it costs, the gravest first. Indexes on small tables are not missed.
    pub fn missing(&self) -> Vec<Missing> {
        let mut list = Vec::new();
        for (table, cost) in WITHOUT {
            if let Some(what) = self.unread(table) {
                list.push(Missing { what, cost });
            } else if let Some(hidden) = self.hiding(&[table]) {
                let cost = "what is not found may be there, and counts are unknown";
                list.push(Missing { what: hidden.why, cost });
            }
        }
        for (table, shape) in &self.tables {
            if !shape.zoneless.is_empty() {
                let columns = shape.zoneless.join(", ");
                let what = format!("no time zone in {columns} of {}", table.name());
                list.push(Missing { what, cost: "these times are taken as UTC" });
            }
        }
        for (index, table, what, cost) in INDEXES {
            // Where streams are keyed by tenant, the order's tenant is looked up first.
            let by_tenant =
                matches!(index, Index::EventStream) && self.has(Index::EventTenantStream);
            if self.reads(table) && !self.has_or_small(index, table) && !by_tenant {
                list.push(Missing { what: format!("no index on {what}"), cost });
            }
        }
        list
    }

    /// What of these tables cannot be looked at, or not whole, and why.
    pub fn not_looked_at(&self, tables: &[Table]) -> Vec<NotLookedAt> {
        let unread = |table: Table| Some(NotLookedAt::unknown(table.name(), self.unread(table)?));
        let one = |table: &Table| unread(*table).or_else(|| self.hiding(&[*table]));
        tables.iter().filter_map(one).collect()
    }

    /// Which of these tables may hide rows; none if none does.
    pub fn hiding(&self, tables: &[Table]) -> Option<NotLookedAt> {
        let hiding = tables.iter().filter(|table| self.may_hide_rows(**table));
        let names: Vec<_> = hiding.map(|table| table.name()).collect();
        let (names, role) = (names.join(", "), &self.role);
        (!names.is_empty()).then(|| {
            let why = format!("row level security on {names} may hide rows from role {role}");
            NotLookedAt::unknown(names, why)
        })
    }

    /// Why a table cannot be read; nothing where it can.
    pub fn unread(&self, table: Table) -> Option<String> {
        let (name, schema) = (table.name(), self.schema(table.group()));
        let Some(shape) = self.tables.get(&table) else {
            return Some(match schema {
                None => format!("no table {name} in any schema that this login sees"),
                Some(schema) => format!("no table {name} in schema {schema}"),
            });
        };
        if !shape.usage {
            let schema = schema.unwrap_or_default();
            return Some(format!("no right to use schema {schema}, which has {name}"));
        }
        if !shape.readable {
            return Some(format!("no right to read {name}"));
        }
        let needed = shape.missing.iter().filter(|(_, needed)| *needed);
        let columns: Vec<_> = needed.map(|(column, _)| *column).collect();
        let first = columns.first()?;
        let strange = shape.strange.iter().find(|(column, _)| column == first);
        Some(match strange {
            Some((column, kind)) => format!("{name}.{column} is {kind}, which cannot be read"),
            None => format!("no column {} in {name}", columns.join(", ")),
        })
    }
}
