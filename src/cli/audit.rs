//! `orderscope audit …`

use std::io::Write;

use chrono::Utc;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{Audit, Global},
    clock, exit, open, order_lookup,
};
use crate::{
    config::Settings,
    domain::{
        order_ref::{self, IdMatch},
        report::{Cell, Form, Table, json_answer, print_json},
        text::hex,
        when,
        zone::Clock,
    },
    ops::audit::{self, Filter, Readiness, Recorded, Verified},
    session::Session,
};

pub(super) async fn run(verb: Audit, global: &Global, settings: &Settings) -> Outcome {
    let session = open::open(global, settings).await?;
    let outcome = answer(verb, &session, settings).await;
    session.close().await;
    outcome
}

async fn answer(verb: Audit, session: &Session, settings: &Settings) -> Outcome {
    let stop = CancellationToken::new();
    let missing = match audit::readiness(&session.db, &stop).await? {
        Readiness::NoSchema => Some("make schema orderscope with `orderscope attach`"),
        Readiness::Behind if session.layout.is_managed() => {
            Some("bring the schema up to date with `orderscope migrate`")
        }
        Readiness::Behind => Some("bring the schema up to date with `orderscope attach`"),
        Readiness::Ready | Readiness::NotPermitted => None,
    };
    if let Some(next) = missing {
        let message = format!("there is no audit log in this database; {next}");
        return Err(Failure { message, code: exit::REFUSED });
    }
    match verb {
        Audit::Verify { output } => {
            let found = audit::verify(&session.db, &stop).await?;
            told(&found, Form::from(output.output))?;
            Ok(if found.is_sound() { exit::FOUND } else { exit::NOTHING })
        }
        Audit::List { order: target, by, since, limit, output } => {
            let target = match target {
                Some(text) => Some(named(session, &text).await?),
                None => None,
            };
            let since = since.map(|text| moment(&text, settings)).transpose()?;
            let filter = Filter { target, by, since, ..Filter::default() };
            let found = audit::list(&session.db, &filter, i64::from(limit), &stop).await?;
            let table = table(&found).in_zone(settings.zone);
            table.print(Form::from(output.output), &[], &mut std::io::stdout().lock())?;
            Ok(if found.is_empty() { exit::NOTHING } else { exit::FOUND })
        }
    }
}

/// A whole id as it stands, an order's or a buyer's; the end of one as the order it means.
async fn named(session: &Session, text: &str) -> Result<String, Failure> {
    match order_ref::parse(text).map_err(|error| Failure::usage(error.to_string()))? {
        IdMatch::Full(id) => Ok(id.to_string()),
        tail @ IdMatch::Tail(_) => {
            Ok(order_lookup::resolve(session, &tail, text).await?.to_string())
        }
    }
}

fn moment(text: &str, settings: &Settings) -> Result<chrono::DateTime<Utc>, Failure> {
    let clock = Clock { now: clock::now(), zone: settings.zone };
    when::start(text, &clock).map_err(|error| Failure::usage(format!("--since: {error}")))
}

fn table(found: &[Recorded]) -> Table {
    let rows = found.iter().map(|entry| {
        vec![
            Cell::number(entry.number),
            Cell::time(entry.at),
            Cell::Text(entry.operator.clone()),
            Cell::Text(entry.login.clone()),
            Cell::Text(entry.host.clone()),
            Cell::Text(entry.intent.clone()),
            Cell::Text(entry.targets.join(" ")),
            match &entry.reason {
                Some(reason) => Cell::Text(reason.clone()),
                None if entry.erased => Cell::Text("(erased)".to_owned()),
                None => Cell::None,
            },
            Cell::Text(entry.operation.to_string()),
        ]
    });
    let columns = vec![
        "audit",
        "at",
        "operator",
        "login",
        "host",
        "intent",
        "targets",
        "reason",
        "operation",
    ];
    Table { columns, rows: rows.collect() }
}

fn told(found: &Verified, form: Form) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let anchor = found.newest_anchor.as_ref().map(|(number, hash)| (*number, hex(hash)));
    match form {
        Form::Table | Form::Markdown => {
            let Verified { chains, entries, anchors, erased, broken, .. } = found;
            writeln!(
                out,
                "{entries} entries in {chains} chains, {anchors} anchors, {erased} values erased"
            )?;
            if let Some((number, hash)) = anchor {
                writeln!(out, "newest anchor {number}: {hash}")?;
            }
            for broken in &found.breaks {
                match broken.number {
                    Some(number) => writeln!(out, "BROKEN at {number}: {}", broken.what)?,
                    None => writeln!(out, "BROKEN: {}", broken.what)?,
                }
            }
            match broken {
                0 => writeln!(out, "everything is as it was written")?,
                broken => writeln!(out, "{broken} places are not as they were written")?,
            }
        }
        Form::Csv => {
            let rows = found.breaks.iter().map(|broken| {
                let number = broken.number.map_or(Cell::None, Cell::number);
                vec![number, Cell::Text(broken.what.clone())]
            });
            Table { columns: vec!["audit", "broken"], rows: rows.collect() }.print(
                form,
                &[],
                &mut out,
            )?;
        }
        Form::Json => {
            let breaks = found
                .breaks
                .iter()
                .map(|broken| json!({ "audit": broken.number, "what": broken.what }));
            let value: Value = json!({
                "sound": found.is_sound(),
                "chains": found.chains,
                "entries": found.entries,
                "anchors": found.anchors,
                "erased": found.erased,
                "broken": found.broken,
                "breaks": breaks.collect::<Vec<_>>(),
                "newest_anchor": anchor.map(|(number, hash)| json!({ "number": number, "hash": hash })),
            });
            print_json(&json_answer(value, &[]), &mut out)?;
        }
    }
    Ok(())
}
