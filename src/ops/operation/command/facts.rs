//! What a command is decided on: the fold of the order's events wherever they are, overlaid with the facts that
//! only the row has.

use sqlx::PgConnection;

use crate::{
    db::{
        self, Layout, Table, events, orders,
        settings::{Projection, Publisher},
        streams::{self, Stream},
        summaries::{Position, SummaryDocument},
        write::{LockedRow, Lookup, OrderRows, Seen, Tx},
    },
    domain::{
        body::meaning,
        compare::{self, Comparison, Sources, Summary, compare},
        coverage::NotLookedAt,
        decide::{self, Command},
        dialect::{DEFAULT_TENANT, Dialect, tenants},
        event::{EventKind, OrderEvent, RecordedEvent},
        fold::with_row_facts,
        id::{BuyerId, OrderId, SeqId, StreamId, Version},
        order::{Buyer, Order},
        timeline::Timeline,
    },
    ops::history,
};

use super::super::{plan::ExpectedVersions, transaction::Task, writer::Writer};

/// So many of an order's newest events are folded for a command. Each states the whole order; these are read while it
/// is held.
const FOLDED: i64 = 500;
/// How many numbers before the newest one may still be filled by a transaction that was open when we looked.
const OVERLAP: i64 = 1_000;

/// Events that were read before the transaction began, where finding them may take too long to hold a lock
/// meanwhile.
#[derive(Debug, Default)]
pub struct EarlyReads {
    events: Vec<RecordedEvent>,
    /// How many older ones there are.
    skipped: i64,
    /// What is stored after this is read once the order is held.
    after: Option<SeqId>,
    coverage: Vec<NotLookedAt>,
    /// The layout with the order's tenant alone, where ids are shared among tenants.
    narrowed: Option<Layout>,
    /// The tenants of the store as far as they matter: two where an order without events, or a new one, could be
    /// of either.
    tenants: Vec<String>,
}

impl EarlyReads {
    /// Reads them; nothing where indexes lead to every event of an order at once.
    pub async fn read(
        conn: &mut PgConnection,
        writer: &Writer,
        command: &Command,
    ) -> Result<Self, db::Error> {
        let Some(id) = command.order() else { return Ok(Self::default()) };
        let narrowed = history::in_its_tenant(conn, &writer.layout, id).await?;
        let layout = narrowed.as_ref().unwrap_or(&writer.layout);
        let mut tenants = Vec::new();
        if !layout.is_managed()
            && layout.tenant().is_none()
            && let Some((first, last)) = streams::first_and_last_tenant(conn, layout).await?
        {
            tenants = vec![first, last];
            tenants.dedup();
        }
        if events::finds_stream(layout) && events::finds_bodies(layout) {
            return Ok(Self { narrowed, tenants, ..Self::default() });
        }
        let head = events::newest(conn, layout).await?.map_or(0, |head| head.0);
        let placed = orders::created_at(conn, layout, id.0).await?;
        let mut coverage = Vec::new();
        let found = history::events_of(conn, layout, id, placed, FOLDED, &mut coverage).await?;
        let history::Found { events, skipped } = found;
        let after = Some(SeqId((head - OVERLAP).max(0)));
        Ok(Self { events, skipped, after, coverage, narrowed, tenants })
    }
}

/// The order and the buyer that a command is about.
#[derive(Debug)]
pub struct Facts {
    pub order: Option<OrderFacts>,
    pub buyer: Option<(BuyerId, Buyer)>,
    pub buyer_row: Option<Seen>,
    /// Where the newest message goes to, where nothing else says how destinations begin.
    pub destination: Option<String>,
}

/// The row that is held while a command is decided and written: everything else about an order changes only
/// with it.
pub fn held(command: &Command) -> Option<LockedRow> {
    match command {
        Command::UpdateBuyerAddress { id, .. } => Some(LockedRow(Table::Buyers, id.0)),
        _ => command.order().map(|id| LockedRow(Table::Orders, id.0)),
    }
}

/// What is known of the order.
#[derive(Debug)]
pub struct OrderFacts {
    pub id: OrderId,
    pub row: Option<Order>,
    pub seen: Option<Seen>,
    pub timeline: Timeline,
    /// What was not searched.
    pub coverage: Vec<NotLookedAt>,
    /// Its own stream.
    pub stream: Option<Stream>,
    pub summary: Option<SummaryDocument>,
    pub position: Position,
    /// Whether the next event goes into the order's own stream.
    pub own_stream: bool,
    /// How its next event is written, or why that cannot be told.
    pub dialect: Result<Dialect, String>,
    /// The tenants that its events belong to, where they are several.
    pub tenants: Vec<String>,
    /// What a command is decided on.
    pub known: Option<Order>,
}

impl Facts {
    /// Reads them, after what the command needs [`held`] is; none where the same operation is on record, which
    /// a dry run does not ask.
    pub async fn gather(
        tx: &mut Tx<'_>,
        task: &Task<'_>,
        command: &Command,
        ahead: &EarlyReads,
    ) -> Result<Option<Self>, db::Error> {
        let Task { writer, dry, .. } = *task;
        let settings = &writer.settings;
        let inline = writer.layout.is_managed() && settings.projection == Projection::Inline;
        let mut found = tx
            .look(&Lookup {
                layout: ahead.narrowed.as_ref().unwrap_or(&writer.layout),
                operation: (!dry).then_some(task.request.id),
                order: command.order(),
                after: ahead.after,
                most: FOLDED + 1,
                summary: inline || dry,
                buyer: command.buyer(),
                newest: matches!(command, Command::CreateOrder { .. }),
                destination: settings.publisher == Publisher::Outbox && settings.broker.is_none(),
            })
            .await?;
        if found.recorded {
            return Ok(None);
        }
        let (buyer, buyer_row) = match found.buyer.take() {
            Some((id, buyer, seen)) => (Some((id, buyer)), Some(seen)),
            None => (None, None),
        };
        let destination = found.destination.take();
        let order = match command.order() {
            Some(id) => Some(OrderFacts::gather(tx, id, command, found, ahead).await?),
            None => None,
        };
        Ok(Some(Self { order, buyer, buyer_row, destination }))
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
    pub fn expected(&self) -> ExpectedVersions {
        let order = self.order.as_ref();
        ExpectedVersions {
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
        id: OrderId,
        command: &Command,
        found: OrderRows,
        ahead: &EarlyReads,
    ) -> Result<Self, db::Error> {
        let OrderRows { order, mut events, stream, summary, position, mut newest, .. } = found;
        let (row, seen) = order.unzip();
        // What was read before came from everywhere; else the newest, and one more if there are older ones.
        let skipped = if ahead.after.is_some() {
            events.extend(ahead.events.iter().cloned());
            ahead.skipped
        } else {
            let layout = ahead.narrowed.as_ref().unwrap_or_else(|| tx.layout());
            history::skipped(tx.conn(), layout, id, None, FOLDED, &mut events).await?
        };
        let timeline = Timeline::newest(id, skipped, events);
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
            None => {
                // Its row is all there is of it: it follows the newest events of the others.
                if !matches!(command, Command::CreateOrder { .. }) {
                    let layout = ahead.narrowed.as_ref().unwrap_or_else(|| tx.layout());
                    newest = events::newest_events(tx.conn(), layout).await?;
                }
                newest.iter().find_map(in_own_stream).unwrap_or(true)
            }
        };
        let dialect = dialect(tx.layout(), &timeline, &newest, &ahead.tenants);
        let tenants = tenants(timeline.steps().iter().map(|step| &step.event));
        let tenants = if tenants.len() > 1 { owned(tenants) } else { vec![] };
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
            coverage,
            stream,
            summary,
            position,
            own_stream,
            dialect,
            tenants,
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
            history_complete: self.coverage.is_empty(),
        })
    }
}

/// Whether an event is in the stream of the order that it is about; none where it is about none.
fn in_own_stream(event: &RecordedEvent) -> Option<bool> {
    let about = match meaning(event) {
        OrderEvent::Placed(body)
        | OrderEvent::Completed(body)
        | OrderEvent::Cancelled { body, .. } => body.order.id,
        OrderEvent::Unknown(_) | OrderEvent::Unreadable { .. } => return None,
    };
    Some(event.stream == Some(StreamId(about.0)))
}

/// How the next event of an order is written: like its newest one, else like the newest of the store.
fn dialect(
    layout: &Layout,
    timeline: &Timeline,
    newest: &[RecordedEvent],
    of_store: &[String],
) -> Result<Dialect, String> {
    let is_ours =
        |event: &&RecordedEvent| EventKind::of(&event.kind, event.dotnet_type.as_deref()).is_some();
    let own = timeline.steps().iter().rev().map(|step| &step.event).find(is_ours);
    let example = own.or_else(|| newest.iter().find(is_ours));
    if layout.is_managed() {
        let tenant = example.and_then(|event| event.tenant.clone());
        return Ok(Dialect::ours(tenant.or_else(|| Some(DEFAULT_TENANT.to_owned()))));
    }
    let whose = || layout.tenant().map_or("the store".to_owned(), |name| format!("tenant {name}"));
    let example = example.ok_or_else(|| {
        format!("{} has no event of an order yet that could be followed", whose())
    })?;
    if own.is_none() {
        let seen = tenants(newest);
        let mut all: Vec<_> = of_store.iter().map(String::as_str).chain(seen).collect();
        all.sort_unstable();
        all.dedup();
        if all.len() > 1 {
            return Err(format!(
                "the store has several tenants ({}): name the one to write for as `tenant` in the context",
                all.join(", ")
            ));
        }
        one_dialect(newest.iter().filter(is_ours))?;
    }
    if example.stream.is_none() {
        return Err(format!("the stream of event {} is named by no id", example.seq));
    }
    Dialect::of(example)
}

/// That events which are readable are all written in the same way.
fn one_dialect<'a>(events: impl Iterator<Item = &'a RecordedEvent>) -> Result<(), String> {
    let mut first: Option<(SeqId, Dialect)> = None;
    for event in events {
        let Ok(dialect) = Dialect::of(event) else { continue };
        let (seq, known) = first.get_or_insert_with(|| (event.seq, dialect.clone()));
        if *known != dialect {
            return Err(format!(
                "its newest events are written in several ways: event {seq} as {known}, event {} as {dialect}",
                event.seq
            ));
        }
    }
    Ok(())
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}
