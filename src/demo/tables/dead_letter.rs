//! Dead letters, in the shapes that the libraries write.

use uuid::Uuid;

use super::{
    copy::{Chunk, Table, TableWriter},
    event::{self, EventMetadata},
    json,
    row::projected,
};
use crate::demo::{
    moment::{DAY, MILLI, Moment, SECOND},
    plan::Plan,
    random::{Random, Subject},
    step::{Event, PlacedOrder, Step},
    trouble::Kind,
};

const SUMMARY: &str = "OrderSummaryView";
const STREAM: &str = "SignalRProducer<BookWorm.Ordering.Features.Orders.Stream.OrderStreamHub>";

struct DeadLetter<'a> {
    id: Uuid,
    projection: &'a str,
    exception: &'a str,
    message: String,
    number: u64,
    /// When it happened; none is year 1, as for a body that cannot be read.
    happened: Option<Moment>,
    stored: Moment,
}

/// The dead letters of one event; most have none.
pub fn letters<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    placed: &PlacedOrder,
    step: Step,
    metadata: &EventMetadata,
    number: u64,
) {
    let mut random = Random::new(metadata.seed, Subject::DeadLetter, number);
    let at = projected(step, metadata);
    let apply = format!("Failure to apply event #{number} Id({})", metadata.id);
    let mut letter = |projection, exception, message: &str, delay: i64, dated: bool| {
        let stored = at.plus(delay);
        let id = stored.v7(&mut random);
        let happened = dated.then_some(stored.plus(-3 * MILLI));
        let message = message.to_owned();
        write(tables, &DeadLetter { id, projection, exception, message, number, happened, stored });
    };
    match (placed.order.trouble, step.event) {
        (Some(Kind::UnreadableTotal), Event::Completed) => {
            letter(SUMMARY, "JsonException", &apply, 0, true);
            // The batch was retried, which writes the letter again.
            letter(SUMMARY, "JsonException", &apply, 5 * SECOND, true);
        }
        (Some(Kind::UnreadableItems), Event::Placed) => {
            let alias = event::alias(step.event);
            let message = format!("Failure to deserialize event #{number} of type '{alias}'");
            let exception = "Marten.Exceptions.EventDeserializationFailureException";
            letter(SUMMARY, exception, &message, 0, false);
        }
        (Some(Kind::LetterElsewhere), Event::Completed) => {
            letter(STREAM, "HubException", &apply, 0, true);
        }
        _ => {}
    }
}

/// A dead letter whose event does not exist.
pub fn for_missing_event<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, plan: &Plan, number: u64) {
    let mut random = Random::new(plan.options.seed, Subject::DeadLetter, number);
    let stored = plan.gap_below_at.plus(DAY).min(plan.end.plus(-SECOND));
    let event = Moment(stored.0 - SECOND).v7(&mut random);
    let letter = DeadLetter {
        id: stored.v7(&mut random),
        projection: SUMMARY,
        exception: "InvalidOperationException",
        message: format!("Failure to apply event #{number} Id({event})"),
        number,
        happened: Some(stored.plus(-4 * MILLI)),
        stored,
    };
    write(tables, &letter);
}

fn write<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, letter: &DeadLetter<'_>) {
    let tenant = if letter.happened.is_some() { "\"*DEFAULT*\"" } else { "null" };
    let mut data = String::from("{\"Id\":");
    json::push_uuid(&mut data, letter.id);
    data.push_str(",\"TenantId\":");
    data.push_str(tenant);
    data.push_str(",\"ShardName\":\"All\",\"Timestamp\":\"");
    match letter.happened {
        Some(at) => {
            let mut text = String::new();
            at.push_json(&mut text);
            data.push_str(text.trim_end_matches('Z'));
        }
        None => data.push_str("0001-01-01T00:00:00"),
    }
    data.push_str("+00:00\",\"EventSequence\":");
    data.push_str(&letter.number.to_string());
    data.push_str(",\"ExceptionType\":");
    json::push_text(&mut data, letter.exception);
    data.push_str(",\"ProjectionName\":");
    json::push_text(&mut data, letter.projection);
    data.push_str(",\"ExceptionMessage\":");
    json::push_text(&mut data, &letter.message);
    data.push('}');
    let version = Random::new(letter.number, Subject::DeadLetter, 1).any();
    tables.row(Table::DeadLetters, |row| {
        row.id(letter.id).json(&data).at(Some(letter.stored));
        row.id(letter.stored.v7(&mut Random::new(version, Subject::DeadLetter, 2)));
        row.text("JasperFx.Events.Daemon.DeadLetterEvent");
    });
}
