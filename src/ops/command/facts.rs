//! What a command is decided on: the fold of the order's events wherever they are, overlaid with the facts that
//! only the row has.

use sqlx::PgConnection;

use crate::{
    db::{
        self, Table, buyers, events, orders,
        settings::Projection,
        streams::{self, Stream},
        summaries::{self, Position, SummaryDocument},
        write::{Bound, Hold, Seen, Tx, must, newest_style},
    },
    domain::{
        compare::{self, Comparison, Sources, Summary, compare},
        decide::{self, Command},
        event::RecordedEvent,
        fold::with_row_facts,
        id::{BuyerId, OrderId, SeqId, StreamId, Version},
        order::{Buyer, Order},
        timeline::Timeline,
    },
    ops::{
        history::{self, MOST_EVENTS},
        plan::{Relied, Writer},
    },
};

/// How many numbers before the newest one may still be filled by a transaction that was open when we looked.
const OVERLAP: i64 = 1_000;

/// Events that were read before the transaction began, where finding them may take too long to hold a lock
/// meanwhile.
#[derive(Debug, Default)]
pub struct Ahead {
    events: Vec<RecordedEvent>,
    /// What is stored after this is read once the order is held.
    after: Option<SeqId>,
    coverage: Vec<String>,
}

impl Ahead {
    /// Reads them; nothing where indexes lead to every event of an order at once.
    pub async fn read(
        conn: &mut PgConnection,
        writer: &Writer,
        command: &Command,
    ) -> Result<Self, db::Error> {
        let layout = &writer.layout;
        let Some(id) = command.order() else { return Ok(Self::default()) };
        if events::finds_stream(layout) && events::finds_bodies(layout) {
            return Ok(Self::default());
        }
        let head = events::newest(conn, layout).await?.map_or(0, |head| head.0);
        let placed = orders::created_at(conn, layout, id.0).await?;
        let mut coverage = Vec::new();
        let events = history::events_of(conn, layout, id, placed, &mut coverage).await?;
        Ok(Self { events, after: Some(SeqId((head - OVERLAP).max(0))), coverage })
    }
}

/// The order and the buyer that a command is about.
#[derive(Debug)]
pub struct Facts {
    pub order: Option<OrderFacts>,
    pub buyer: Option<(BuyerId, Buyer)>,
    pub buyer_row: Option<Seen>,
}

/// What is known of the order.
#[derive(Debug)]
pub struct OrderFacts {
    pub id: OrderId,
    pub row: Option<Order>,
    pub seen: Option<Seen>,
    pub timeline: Timeline,
    pub cut: bool,
    /// What was not searched; a line each.
    pub coverage: Vec<String>,
    /// Its own stream.
    pub stream: Option<Stream>,
    pub summary: Option<SummaryDocument>,
    pub position: Position,
    /// Whether the next event goes into the order's own stream.
    pub own_stream: bool,
    /// What a command is decided on.
    pub known: Option<Order>,
}

impl Facts {
    /// Reads them. The order's row, if it is there, is held from now on.
    pub async fn gather(
        tx: &mut Tx<'_>,
        writer: &Writer,
        command: &Command,
        ahead: &Ahead,
    ) -> Result<Self, db::Error> {
        let order = match command.order() {
            Some(id) => Some(OrderFacts::gather(tx, writer, id, command, ahead).await?),
            None => None,
        };
        let of_order = || order.as_ref()?.known.as_ref()?.buyer_id;
        let Some(id) = command.buyer().or_else(of_order) else {
            return Ok(Self { order, buyer: None, buyer_row: None });
        };
        let hold = match command {
            Command::UpdateBuyerAddress { .. } => Hold::Lock,
            _ => Hold::Look,
        };
        let key = [must("id", Bound::Id(Some(id.0)))];
        let buyer_row = tx.see(Table::Buyers, &key, hold).await?;
        let buyer = match buyer_row {
            Some(_) => buyers::by_id(tx.conn(), &writer.layout, id).await?,
            None => None,
        };
        Ok(Self { order, buyer: buyer.map(|buyer| (id, buyer)), buyer_row })
    }

    /// As the domain decides on them.
    pub fn decided_on(&self, now: chrono::DateTime<chrono::Utc>) -> decide::Facts<'_> {
        decide::Facts {
            order: self.order.as_ref().and_then(|order| order.known.as_ref()),
            buyer: self.buyer.as_ref().map(|(_, buyer)| buyer),
            now,
        }
    }

    /// What a plan made on them relies on.
    pub fn relied(&self) -> Relied {
        let order = self.order.as_ref();
        Relied {
            version: order.map_or(0, |order| order.version().0),
            stream: order.and_then(|order| order.stream.as_ref()?.version),
            newest: order.and_then(|order| Some(order.timeline.steps().last()?.event.seq.0)),
            order: order.and_then(|order| Some(order.seen.as_ref()?.xmin.clone())),
            buyer: self.buyer_row.as_ref().map(|seen| seen.xmin.clone()),
            rows: Vec::new(),
        }
    }
}

impl OrderFacts {
    async fn gather(
        tx: &mut Tx<'_>,
        writer: &Writer,
        id: OrderId,
        command: &Command,
        ahead: &Ahead,
    ) -> Result<Self, db::Error> {
        let layout = &*writer.layout;
        let key = [must("id", Bound::Id(Some(id.0)))];
        let seen = tx.see(Table::Orders, &key, Hold::Lock).await?;
        let row = match seen {
            Some(_) => orders::by_id(tx.conn(), layout, id).await?,
            None => None,
        };
        let most = i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX - 1) + 1;
        let mut found = match ahead.after {
            None => events::of_order(tx.conn(), layout, id, None, most).await?,
            Some(after) => events::since(tx.conn(), layout, id, after, most).await?,
        };
        found.extend(ahead.events.iter().cloned());
        let timeline = Timeline::new(id, found);
        let cut = timeline.steps().len() > MOST_EVENTS;
        let stream = streams::of_order(tx.conn(), layout, id).await?;
        let (summary, position) = summaries::of_order(tx.conn(), layout, id).await?;
        let own = Some(StreamId(id.0));
        let own_stream = match timeline.steps().last() {
            Some(step) => step.event.stream == own,
            None if stream.is_some() => true,
            None if matches!(
                command,
                Command::DeleteOrder { .. } | Command::RestoreOrder { .. }
            ) =>
            {
                true
            }
            None => newest_style(tx.conn(), layout).await?.unwrap_or(true),
        };
        let folded = timeline.latest().order().cloned();
        let known = match (folded, &row) {
            (Some(order), Some(row)) => Some(with_row_facts(order, row)),
            (Some(order), None) => Some(order),
            // Placed before there were events: the row is all there is.
            (None, row) => row.clone(),
        };
        let coverage = ahead.coverage.clone();
        Ok(Self {
            id,
            row,
            seen,
            timeline,
            cut,
            coverage,
            stream,
            summary,
            position,
            own_stream,
            known,
        })
    }

    /// The order's version: its position in the union of its events.
    pub fn version(&self) -> Version {
        self.timeline.last_version()
    }

    /// Whether row, events and view say the same.
    pub fn comparison(&self, projection: Projection) -> Comparison {
        let summary = self.summary.as_ref();
        let summary = summary.map(|document| Summary::read(&document.data, document.version));
        let projection = match projection {
            Projection::Inline => compare::Projection::Inline,
            Projection::Async => compare::Projection::Async { position: self.position.summary },
        };
        compare(&Sources {
            timeline: &self.timeline,
            row: self.row.as_ref(),
            summary: summary.as_ref(),
            projection,
            history_complete: self.coverage.is_empty() && !self.cut,
        })
    }
}
