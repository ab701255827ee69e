//! `orderscope order …`

use serde_json::{Value, json};

use super::{Failure, Outcome, args::{Global, Order as Verb, Output}, exit, open};
use crate::{
    config::Settings,
    domain::{
        body, compare::Agreement, fold, id::Version, mask, moment, order::Order, order_ref,
        report::{Cell, Form, Table, print_json},
        zone::Clock,
    },
    ops::{history, known::Known, report},
    session::Session,
};

pub(super) async fn run(verb: Verb, global: &Global, settings: &Settings) -> Outcome {
    let id = match &verb {
        Verb::Show { id, .. } | Verb::Timeline { id, .. } | Verb::Diff { id, .. } => id.clone(),
    };
    let wanted = order_ref::parse(&id).map_err(|error| Failure::usage(error.to_string()))?;
    let session = open::open(global, settings).await?;
    let known = find(&session, &wanted, &id).await;
    session.close().await;
    let known = known?;
    let partial = known.history.cut || !known.history.coverage.is_empty();
    for note in &known.history.coverage {
        tell(&format!("not searched: {note}"))?;
    }
    let code = match verb {
        Verb::Timeline { output, .. } => {
            report::timeline(&known).print(Form::from(output.output), &mut std::io::stdout().lock())?;
            if known.timeline.points().is_empty() { exit::NOTHING } else { exit::FOUND }
        }
        Verb::Diff { a, b, output, .. } => diff(&known, a, b, output.output)?,
        Verb::Show { at, version, output, .. } => {
            let version = target(&known, at.as_deref(), version, settings)?;
            show(&known, version, output.output)?
        }
    };
    Ok(if partial && code == exit::FOUND { exit::PARTIAL } else { code })
}

async fn find(
    session: &Session,
    wanted: &crate::domain::search::IdMatch,
    text: &str,
) -> Result<Known, Failure> {
    let stop = tokio_util::sync::CancellationToken::new();
    let layout = &session.layout;
    let found = session
        .db
        .read("order", &stop, async |conn| {
            let ids = history::resolve(conn, layout, wanted).await?;
            match ids.as_slice() {
                [id] => Ok(Ok(history::history(conn, layout, *id).await?)),
                _ => Ok(Err(ids)),
            }
        })
        .await?;
    match found {
        Ok(Some(history)) => Ok(Known::new(history)),
        Ok(None) => Err(nothing(text)),
        Err(ids) if ids.is_empty() => Err(nothing(text)),
        Err(ids) => {
            let list: Vec<_> = ids.iter().map(|id| format!("  {id}")).collect();
            let message = format!("{text:?} ends several orders; give more of the id:\n{}", list.join("\n"));
            Err(Failure { message, code: exit::NOTHING })
        }
    }
}

fn nothing(text: &str) -> Failure {
    let message = format!("no order is, or ends in, {text:?}");
    Failure { message, code: exit::NOTHING }
}

fn target(
    known: &Known,
    at: Option<&str>,
    version: Option<i64>,
    settings: &Settings,
) -> Result<Option<Version>, Failure> {
    if let Some(version) = version {
        if !(1..=known.timeline.last().0).contains(&version) {
            let last = known.timeline.last();
            return Err(Failure::usage(format!("versions go from 1 to {last}")));
        }
        return Ok(Some(Version(version)));
    }
    let Some(text) = at else { return Ok(None) };
    let clock = Clock { now: chrono::Utc::now(), zone: settings.zone };
    let moment = moment::parse(text, &clock, None)
        .map_err(|error| Failure::usage(format!("--at: {error}; write one of: {}", moment::FORMS)))?;
    match known.timeline.version_at(moment.to) {
        Version(0) => Err(Failure {
            message: "the order did not exist then; its first event came later".to_owned(),
            code: exit::NOTHING,
        }),
        version => Ok(Some(version)),
    }
}

fn diff(known: &Known, a: i64, b: i64, output: Output) -> Outcome {
    let last = known.timeline.last();
    for version in [a, b] {
        if !(0..=last.0).contains(&version) {
            return Err(Failure::usage(format!("versions go from 0 (before the first event) to {last}")));
        }
    }
    let mut changes = known.timeline.diff(Version(a), Version(b));
    changes.retain(|change| change.kind != crate::domain::diff::Kind::Same);
    report::diff(&changes, true).print(Form::from(output), &mut std::io::stdout().lock())?;
    Ok(if changes.is_empty() { exit::NOTHING } else { exit::FOUND })
}

/// The state at a version, or now with the three sources compared. Drift is a finding: exit code 1.
fn show(known: &Known, version: Option<Version>, output: Output) -> Outcome {
    let at = version.unwrap_or(known.timeline.last());
    let state = known.timeline.at_version(at);
    let value = value(known, &state, at, version.is_none());
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => print_json(&value, &mut out)?,
        Output::Table | Output::Csv => {
            let rows = flat("", &value);
            let cells = |(name, cell): (String, Cell)| vec![Cell::Text(name), cell];
            let table = Table { columns: vec!["field", "value"], rows: rows.into_iter().map(cells).collect() };
            table.print(Form::from(output), &mut out)?;
        }
    }
    let drift = version.is_none() && known.comparison.is_drift();
    Ok(if drift { exit::NOTHING } else { exit::FOUND })
}

fn value(known: &Known, state: &fold::State, at: Version, now: bool) -> Value {
    let order = |order: &Order| {
        let mut body = body::write_order(order);
        mask::mask_json(&mut body);
        body
    };
    let point = known.timeline.point(at);
    let mut value = json!({
        "id": known.history.id,
        "version": at,
        "at": point.map(|point| point.event.at),
        "state": state.order.as_ref().map(order),
        "cancel_reason": state.order.as_ref().and_then(|order| order.cancel_reason.clone()),
        "uncertain": state.uncertain.as_ref().map(|doubt| format!("since v{}: {}", doubt.version, doubt.why)),
    });
    if now && let Some(object) = value.as_object_mut() {
        let found = &known.comparison;
        object.insert("row".to_owned(), known.history.row.as_ref().map_or(Value::Null, order));
        object.insert("compared".to_owned(), json!({
            "events": found.events.map(body::status_name),
            "row": found.row.map(body::status_name),
            "view": found.view.map(body::status_name),
            "row_agrees": agreement(&found.row_agrees),
            "view_agrees": agreement(&found.view_agrees),
            "parts_at": found.parts_at,
        }));
        object.insert("messages".to_owned(), json!(known.history.messages.len()));
        object.insert("dead_letters".to_owned(), json!(known.history.letters.len()));
    }
    value
}

fn agreement(agreement: &Agreement) -> Value {
    match agreement {
        Agreement::Same => json!("same"),
        Agreement::Differs { field, says, events } => {
            json!({ "differs": field, "says": says, "events": events })
        }
        Agreement::Missing => json!("missing"),
        Agreement::NotExpected(why) => json!({ "not_expected": why }),
        Agreement::Behind => json!("behind"),
        Agreement::Unknown(why) => json!({ "unknown": why }),
    }
}

/// Nested JSON as dotted names and values.
fn flat(prefix: &str, value: &Value) -> Vec<(String, Cell)> {
    let below = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| flat(&below(key), value)).collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(at, value)| flat(&below(&at.to_string()), value)).collect()
        }
        Value::Null => vec![(prefix.to_owned(), Cell::None)],
        Value::Bool(flag) => vec![(prefix.to_owned(), Cell::Flag(*flag))],
        Value::Number(number) => vec![(prefix.to_owned(), Cell::number(number))],
        Value::String(text) => vec![(prefix.to_owned(), Cell::Text(text.clone()))],
    }
}

fn tell(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    Ok(writeln!(std::io::stderr(), "{text}")?)
}
