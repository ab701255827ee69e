//! `orderscope order …`

use serde_json::{Value, json};

use super::{
    Failure, Outcome,
    args::{Global, Order as Verb, Output},
    clock, exit, open, order_command, order_lookup,
};
use crate::{
    config::Settings,
    domain::{
        body,
        compare::Agreement,
        coverage::NotLookedAt,
        endless, fold,
        id::Version,
        mask,
        order::Order,
        order_ref,
        report::{Cell, Form, Table, json_answer, print_json},
        text,
        when::{self, When},
        zone::Clock,
    },
    ops::{analysis::OrderAnalysis, report},
};

pub(super) async fn run(verb: Verb, global: &Global, settings: &Settings) -> Outcome {
    let (id, read) = match &verb {
        Verb::Show { id, read, .. }
        | Verb::Timeline { id, read, .. }
        | Verb::Chain { id, read, .. }
        | Verb::Events { id, read, .. }
        | Verb::Messages { id, read, .. }
        | Verb::Diff { id, read, .. } => (id.clone(), *read),
        _ => return order_command::order(verb, global, settings).await,
    };
    let wanted = order_ref::parse(&id).map_err(|error| Failure::usage(error.to_string()))?;
    let session = open::open(global, settings).await?;
    let known = order_lookup::find(&session, &wanted, &id, read.events).await;
    session.close().await;
    let known = known?;
    let mut unseen = known.history.coverage.clone();
    if matches!(verb, Verb::Chain { .. }) {
        unseen.extend(known.history.chain.unsearched.of_inbox());
    }
    for one in &unseen {
        tell(&format!("not searched: {}", text::clean(&one.to_string())))?;
    }
    let output = read.output.output;
    let print = |table| print(table, &unseen, output, settings);
    let compares = matches!(verb, Verb::Show { .. });
    let code = match verb {
        Verb::Timeline { .. } => print(report::timeline(&known))?,
        Verb::Messages { .. } => print(report::messages(&known))?,
        Verb::Events { .. } if output == Output::Json => {
            let events = json_answer(report::raw_events(&known), &unseen);
            print_json(&events, &mut std::io::stdout().lock())?;
            found(known.history.events.is_empty())
        }
        Verb::Events { .. } => print(report::events(&known))?,
        Verb::Chain { .. } => print(report::chain(&known))?,
        Verb::Diff { a, b, .. } => diff(&known, (a, b), &unseen, output, settings)?,
        Verb::Show { at, version, .. } => {
            let version = target(&known, at.as_deref(), version, settings)?;
            show(&known, version, &unseen, output, settings)?
        }
        // Sent away above.
        _ => exit::USAGE,
    };
    // A difference between sources is one whatever else there may be; nothing found is not.
    let drift = compares && code == exit::NOTHING;
    Ok(if unseen.is_empty() || drift { code } else { exit::PARTIAL })
}

/// Prints a list; one without rows found nothing.
fn print(table: Table, unseen: &[NotLookedAt], output: Output, settings: &Settings) -> Outcome {
    let table = table.in_zone(settings.zone);
    table.print(Form::from(output), unseen, &mut std::io::stdout().lock())?;
    Ok(found(table.rows.is_empty()))
}

const fn found(nothing: bool) -> u8 {
    if nothing { exit::NOTHING } else { exit::FOUND }
}

fn target(
    known: &OrderAnalysis,
    at: Option<&str>,
    version: Option<i64>,
    settings: &Settings,
) -> Result<Option<Version>, Failure> {
    if let Some(version) = version {
        let (first, last) = (known.timeline.base_version().0.max(1), known.timeline.last_version());
        if !(first..=last.0).contains(&version) {
            let more = if first > 1 { "; --events reads older ones" } else { "" };
            return Err(Failure::usage(format!("versions go from {first} to {last}{more}")));
        }
        return Ok(Some(Version(version)));
    }
    let Some(text) = at else { return Ok(None) };
    let clock = Clock { now: clock::now(), zone: settings.zone };
    let gone = || Failure {
        message: "the order did not exist then; its first event came later".to_owned(),
        code: exit::NOTHING,
    };
    match when::parse(text, &clock, None) {
        Err(error) => Err(Failure::usage(format!("--at: {error}"))),
        Ok(When::Version(_)) => Err(Failure::usage("--at takes a time; --version takes a version")),
        Ok(When::Time { at, clocks }) => {
            match known.timeline.at_time(at).map(|found| found.version) {
                None | Some(Version(0)) => Err(gone()),
                Some(version) => {
                    if let Some(moved) = clocks {
                        tell(&format!("--at {text}: {moved}"))?;
                    }
                    Ok(Some(version))
                }
            }
        }
    }
}

fn diff(
    known: &OrderAnalysis,
    (a, b): (i64, i64),
    unseen: &[NotLookedAt],
    output: Output,
    settings: &Settings,
) -> Outcome {
    let last = known.timeline.last_version();
    for version in [a, b] {
        if !(0..=last.0).contains(&version) {
            return Err(Failure::usage(format!(
                "versions go from 0 (before the first event) to {last}"
            )));
        }
    }
    let mut changes = known.timeline.diff(Version(a), Version(b)).unwrap_or_default();
    changes.retain(|change| !change.is_same());
    let table = report::diff(&changes, true).in_zone(settings.zone);
    table.print(Form::from(output), unseen, &mut std::io::stdout().lock())?;
    Ok(if changes.is_empty() { exit::NOTHING } else { exit::FOUND })
}

/// The state at a version, or now with the three sources compared. Drift is a finding: exit code 1.
fn show(
    known: &OrderAnalysis,
    version: Option<Version>,
    unseen: &[NotLookedAt],
    output: Output,
    settings: &Settings,
) -> Outcome {
    let at = version.unwrap_or(known.timeline.last_version());
    let state = known.timeline.at_version(at).cloned().unwrap_or_default();
    let value = || value(known, &state, at, version.is_none());
    let mut out = std::io::stdout().lock();
    match output {
        Output::Table => {
            let table = report::order(known, &state, at, version.is_none());
            table.in_zone(settings.zone).print(Form::Table, unseen, &mut out)?;
        }
        Output::Json => print_json(&json_answer(value(), unseen), &mut out)?,
        Output::Csv => {
            let rows = flat("", &value());
            let cells = |(name, cell): (String, Cell)| vec![Cell::Text(name), cell];
            let table = Table {
                columns: vec!["field", "value"],
                rows: rows.into_iter().map(cells).collect(),
            };
            table.print(Form::from(output), unseen, &mut out)?;
        }
    }
    let drift = version.is_none() && known.comparison.is_drift();
    Ok(if drift { exit::NOTHING } else { exit::FOUND })
}

fn value(known: &OrderAnalysis, state: &fold::State, at: Version, now: bool) -> Value {
    let order = |order: &Order| {
        let mut body = body::order_json(order);
        // A body would have .NET's first or last moment for it.
        for (key, at) in
            [("CreatedAt", order.created_at), ("LastModifiedAt", order.last_modified_at)]
        {
            if let Some(told) = at.and_then(endless::told) {
                body[key] = json!(told);
            }
        }
        mask::mask_json(&mut body);
        body
    };
    let point = known.timeline.step(at);
    let mut value = json!({
        "id": known.history.id,
        "order_version": at,
        "at": point.map(|point| endless::json(point.event.at)),
        "state": state.order().map(order),
        "cancel_reason": state.order().and_then(|order| order.cancel_reason.as_ref()).map(|_| mask::MASK),
        "uncertain": state.uncertain.as_ref().map(|doubt| format!("since v{}: {}", doubt.version, doubt.why)),
    });
    if now && let Some(object) = value.as_object_mut() {
        let found = &known.comparison;
        object.insert("row".to_owned(), known.history.row.as_ref().map_or(Value::Null, order));
        object.insert(
            "compared".to_owned(),
            json!({
                "events": known.events_status().map(|status| status.to_string()),
                "row": known.row_status().map(|status| status.to_string()),
                "view": known.view_status().map(|status| status.to_string()),
                "row_agrees": agreement(&found.row),
                "view_agrees": agreement(&found.summary),
                "certain": found.certain,
                "parts_at": found.divergence.as_ref().and_then(|divergence| divergence.version),
                "parting": found.divergence.as_ref().map(ToString::to_string),
            }),
        );
        object.insert("messages".to_owned(), json!(known.history.messages.len()));
        object.insert("dead_letters".to_owned(), json!(known.history.letters.len()));
    }
    value
}

fn agreement(agreement: &Agreement) -> Value {
    match agreement {
        Agreement::Match => json!("same"),
        Agreement::Behind { at, events } => json!({ "behind": { "at": at, "events": events } }),
        Agreement::Archived => json!("archived"),
        Agreement::Differs(differences) => {
            let fields = differences.iter().map(|difference| difference.field.to_string());
            json!({ "differs": fields.collect::<Vec<_>>() })
        }
        Agreement::Missing => json!("missing"),
        Agreement::Alone => json!("no event found"),
        Agreement::Absent => json!("absent"),
        Agreement::Unknown(why) => json!({ "unknown": why }),
    }
}

/// Nested JSON as dotted names and values.
fn flat(prefix: &str, value: &Value) -> Vec<(String, Cell)> {
    let below =
        |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    match value {
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| flat(&below(key), value)).collect()
        }
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
