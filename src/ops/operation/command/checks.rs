//! Preconditions: what forbids a command, what to know before it, and what could not be looked at.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{
    super::{
        check::{Check, Verdict},
        writer::Writer,
    },
    Facts, OrderFacts,
};
use crate::{
    db::{
        self, Table,
        settings::{Projection, Publisher},
        write::{Need, Surroundings, lacking},
    },
    domain::{compare::Agreement, decide::Change, event::EventKind, order::Status},
};

/// An outbox open for longer than this makes a stalled worker likely.
const STALLED: TimeDelta = TimeDelta::minutes(15);

/// What forbids the change, whatever was planned.
pub fn blocking(writer: &Writer, facts: &Facts, change: &Change) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut stop = |text: String| checks.push(Check::new(Verdict::Blocking, text));
    if change.event().is_some() && writer.settings.publisher == Publisher::Unknown {
        stop(
            "who publishes is not known: if the service publishes the events it finds (a subscription such \
             as MartenEventPublisher has a row in mt_event_progression), a message from here would be a \
             second one; say it with `orderscope attach --publisher service|outbox`"
                .to_owned(),
        );
    }
    let Some(order) = &facts.order else { return checks };
    let events = order.timeline.latest().order().map(|order| order.status);
    let row = order.row.as_ref().map(|row| row.status);
    let placing = change.event().is_some_and(|event| event.kind == EventKind::Placed);
    match (events, row) {
        (Some(events), Some(row)) if events != row && change.event().is_some() => {
            stop(format!("the events say {events}, the row says {row}: repair the order first"));
        }
        (Some(_), None) => stop("the order has events but no row in orders".to_owned()),
        _ => {}
    }
    let unread = order.row.as_ref().and_then(|row| row.unread.as_ref());
    if let (Some(why), true, Some(_)) = (unread, order.timeline.steps().is_empty(), change.event())
    {
        stop(format!("its row is all that is known of it, and {why}"));
    }
    if !order.tenants.is_empty() {
        let tenants = order.tenants.join(", ");
        stop(format!(
            "its events belong to several tenants ({tenants}): name one as `tenant` in the context"
        ));
    }
    if !placing && order.timeline.steps().is_empty() {
        // Its row alone says neither whose it is nor what happened to it since.
        if let Some(tenant) = writer.layout.tenant() {
            stop(format!(
                "tenant {tenant} has no event of it, and rows of orders name no tenant: it may be another's"
            ));
        }
        let unsearched =
            order.coverage.iter().cloned().chain(writer.layout.hiding(&[Table::Events]));
        if change.event().is_some() {
            for why in unsearched {
                stop(format!("no event of it was found, and not all were looked at: {why}"));
            }
        }
    }
    if let (true, Some(kind)) = (placing, writer.layout.status_type()) {
        stop(format!(
            "orders.status is {kind}: how a new order's status is written cannot be told"
        ));
    }
    if let (Some(_), Err(why)) = (change.event(), &order.dialect) {
        stop(format!("how its event has to be written cannot be told: {why}"));
    }
    if change.event().is_none() || !order.own_stream || placing && order.stream.is_none() {
        return checks;
    }
    if let Some(stream) = &order.stream {
        if stream.archived {
            stop("its stream is archived: restore it in the service first".to_owned());
        }
        let own = order
            .timeline
            .steps()
            .iter()
            .filter(|s| s.event.stream.is_some_and(|id| id.0 == order.id.0));
        let newest = own.map(|step| step.event.version.0).max().unwrap_or(0);
        let head = stream.version.unwrap_or(0);
        if head != newest && newest > 0 {
            stop(format!(
                "its stream says version {head}, its events {newest}: every append fails until mt_streams \
                 is repaired"
            ));
        }
    }
    checks
}

/// The rights that the change needs and this login lacks.
pub async fn rights(
    conn: &mut PgConnection,
    writer: &Writer,
    change: &Change,
) -> Result<Vec<Check>, db::Error> {
    let mut needs = Vec::new();
    match change {
        Change::Event(event) => {
            if event.kind == EventKind::Placed {
                needs.extend([Need::Insert(Table::Orders), Need::Insert(Table::OrderItems)]);
            } else {
                needs.push(Need::Update(Table::Orders));
            }
            needs.extend([Need::Insert(Table::Streams), Need::Update(Table::Streams)]);
            needs.extend([Need::Insert(Table::Events), Need::EventNumbers]);
            if writer.settings.publisher == Publisher::Outbox {
                needs.extend([
                    Need::Insert(Table::OutboxStates),
                    Need::Insert(Table::OutboxMessages),
                ]);
            }
            if writer.layout.is_managed() && writer.settings.projection == Projection::Inline {
                needs.extend([Need::Insert(Table::Summaries), Need::Update(Table::Summaries)]);
            }
        }
        Change::Deleted(_) | Change::Restored(_) => needs.push(Need::Update(Table::Orders)),
        Change::BuyerCreated { .. } => needs.push(Need::Insert(Table::Buyers)),
        Change::AddressUpdated { .. } => needs.push(Need::Update(Table::Buyers)),
    }
    let missing = lacking(conn, &writer.layout, &needs).await?;
    let say = |what: String| {
        Check::new(Verdict::Blocking, format!("this login lacks {what}: ask for it"))
    };
    Ok(missing.into_iter().map(say).collect())
}

/// What a person should know before running it.
pub fn informative(
    writer: &Writer,
    facts: &Facts,
    change: &Change,
    around: &Surroundings,
    now: DateTime<Utc>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(order) = &facts.order {
        if let (Some(_), Ok(dialect)) = (change.event(), &order.dialect) {
            checks.push(Check::new(Verdict::Ok, format!("writes as: {dialect}")));
        }
        agreement(writer, order, &mut checks);
        version(order, change, &mut checks);
    }
    if facts.order.is_some() && change.event().is_some_and(|e| e.kind != EventKind::Placed) {
        let unseen = writer.layout.not_looked_at(&[Table::InboxStates]);
        checks.push(match (around.commands, unseen.first()) {
            (_, Some(why)) => {
                let text = format!("whether a command waits in the inbox is not known: {why}");
                Check::new(Verdict::Unknown, text)
            }
            (0, None) => Check::new(Verdict::Ok, "no command waits in the inbox"),
            (some, None) => Check::new(
                Verdict::Unknown,
                format!("{some} messages in the inbox are not consumed; it does not say for which orders"),
            ),
        });
    }
    if change.event().is_some() {
        publishing(writer, around, now, &mut checks);
    }
    if let Change::AddressUpdated { .. } = change {
        checks
            .push(Check::new(Verdict::Ok, "events written before keep the address of their time"));
    }
    checks
}

fn agreement(writer: &Writer, order: &OrderFacts, checks: &mut Vec<Check>) {
    let Some(known) = &order.known else { return };
    if order.timeline.steps().is_empty() {
        checks.push(Check::new(
            Verdict::Warn,
            "it has no events: the row is all that is known of it",
        ));
    } else {
        let found = order.comparison(writer.settings.projection);
        let status = known.status;
        let wrong: Vec<_> = [("row", &found.row), ("view", &found.summary)]
            .into_iter()
            .filter(|(_, agreement)| agreement.is_drift())
            .map(|(name, _)| name)
            .collect();
        if !wrong.is_empty() {
            let text = format!("{} differs from the events: see the timeline", wrong.join(" and "));
            checks.push(Check::new(Verdict::Warn, text));
        } else if matches!(found.summary, Agreement::Behind { .. }) {
            let text = format!("status is {status}: row and events agree, the view is behind");
            checks.push(Check::new(Verdict::Warn, text));
        } else {
            let text = format!("status is {status}: row, events and view agree");
            checks.push(Check::new(Verdict::Ok, text));
        }
    }
    if let Some(doubt) = &order.timeline.latest().uncertain {
        let text = format!("its state is uncertain since v{}: {}", doubt.version, doubt.why);
        checks.push(Check::new(Verdict::Warn, text));
    }
    for what in &order.coverage {
        checks.push(Check::new(Verdict::Unknown, what.to_string()));
    }
    if known.status != Status::New && known.is_deleted {
        checks.push(Check::new(Verdict::Ok, format!("it is {} and deleted", known.status)));
    }
}

fn version(order: &OrderFacts, change: &Change, checks: &mut Vec<Check>) {
    let version = order.version();
    let text = match (change.event(), version.0) {
        (Some(_), 0) => "it has no events yet; will append v1".to_owned(),
        (Some(_), _) => {
            format!("version is {version}; will append v{}; fails if it moved", version.0 + 1)
        }
        (None, _) => format!("version is {version} and stays so: no event carries this"),
    };
    checks.push(Check::new(Verdict::Ok, text));
}

fn publishing(writer: &Writer, around: &Surroundings, now: DateTime<Utc>, checks: &mut Vec<Check>) {
    match writer.settings.publisher {
        Publisher::Unknown => {}
        Publisher::Service => {
            let text = "the service publishes the event itself: no message is written here";
            checks.push(Check::new(Verdict::Ok, text));
        }
        Publisher::Outbox => {
            let unseen = writer.layout.not_looked_at(&[Table::OutboxStates]);
            match around.oldest_open {
                _ if !unseen.is_empty() => {
                    let why = unseen.first().map(ToString::to_string).unwrap_or_default();
                    let text = format!("whether the outbox is stalled is not known: {why}");
                    checks.push(Check::new(Verdict::Unknown, text));
                }
                Some(oldest) if now - oldest > STALLED => {
                    let minutes = (now - oldest).num_minutes();
                    let text = format!(
                        "outbox suspected stalled (oldest open for {minutes} min): the notice will \
                         queue, not leave"
                    );
                    checks.push(Check::new(Verdict::Warn, text));
                }
                _ => {
                    checks.push(Check::new(
                        Verdict::Ok,
                        "the outbox publishes; nothing old waits in it",
                    ));
                }
            }
            let text = "the message carries no e-mail address, the tables hold none: the notification \
                        service will have nobody to send to";
            checks.push(Check::new(Verdict::Warn, text));
        }
    }
}
