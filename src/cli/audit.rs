//! `orderscope audit …`

use std::{io::Write, slice};

use chrono::Utc;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{Audit, Global, RevealArg},
    clock, exit, open, operation, order_lookup,
};
use crate::{
    config::{self, Settings},
    domain::{
        mask,
        order_ref::{self, IdMatch},
        report::{Cell, Form, Table, json_answer, print_json},
        text::hex,
        when,
        zone::Clock,
    },
    ops::{
        audit::{
            self, Ending, Filter, Missing, Readiness, Recorded, Reveal, Trail, Verified, Witness,
        },
        operator::Operator,
    },
    session::Session,
};

pub(super) async fn run(verb: Audit, global: &Global, settings: &Settings) -> Outcome {
    let session = open::open(global, settings).await?;
    let outcome = answer(verb, &session, global, settings).await;
    session.close().await;
    outcome
}

async fn answer(verb: Audit, session: &Session, global: &Global, settings: &Settings) -> Outcome {
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
            let mut found = audit::verify(&session.db, &stop).await?;
            let witness = Witness::of(&session.db, &config::state_dir(), &stop).await?;
            if let Some(broken) = witness.keep(&session.db, &stop).await? {
                found.add_break(broken);
            }
            told(&found, Form::from(output.output))?;
            Ok(match (found.is_sound(), found.missing.is_empty()) {
                (true, true) => exit::FOUND,
                (true, false) => exit::PARTIAL,
                (false, _) => exit::NOTHING,
            })
        }
        Audit::Show { number, reveal, output } => {
            let Some(found) = audit::by_number(&session.db, number, &stop).await? else {
                let message = format!("there is no audit entry {number}");
                return Err(Failure { message, code: exit::NOTHING });
            };
            let endings = audit::endings(&session.db, slice::from_ref(&found), &stop).await?;
            let shown = revealed(session, global, &reveal, &[number]).await?;
            print_entry(&found, &endings, shown, Form::from(output.output))?;
            Ok(exit::FOUND)
        }
        Audit::List { order: target, by, since, limit, reveal, output } => {
            let target = match target {
                Some(text) => Some(named(session, &text).await?),
                None => None,
            };
            let since = since.map(|text| moment(&text, settings)).transpose()?;
            let filter = Filter { target, by, since, ..Filter::default() };
            let found = audit::list(&session.db, &filter, i64::from(limit), &stop).await?;
            let endings = audit::endings(&session.db, &found, &stop).await?;
            let numbers: Vec<_> = found.iter().map(|entry| entry.number).collect();
            let shown = revealed(session, global, &reveal, &numbers).await?;
            let table = table(&found, &endings, shown).in_zone(settings.zone);
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

/// Whether what is personal may be shown: it is on record then, and why.
async fn revealed(
    session: &Session,
    global: &Global,
    reveal: &RevealArg,
    numbers: &[i64],
) -> Result<bool, Failure> {
    let Some(reason) = reveal.reveal.clone() else { return Ok(false) };
    let operator = Operator::new(global.operator.as_deref(), session.layout.role());
    let operator = operator.map_err(|error| Failure::usage(error.to_string()))?;
    let trail = Trail::new(&session.db, &operator, config::state_dir().join("reads.jsonl"));
    let at = (operation::measured(session).await?.clock())();
    let targets = numbers.iter().map(|number| format!("audit {number}")).collect();
    let record = audit::revealed(&trail, &Reveal { at, targets, reason }).await;
    record.map_err(|error| Failure { message: error.to_string(), code: exit::REFUSED })?;
    Ok(true)
}

fn reason(entry: &Recorded, shown: bool) -> Cell {
    match &entry.reason {
        Some(reason) => Cell::Text(mask::veil(reason, shown).into_owned()),
        None if entry.erased => Cell::Text("(erased)".to_owned()),
        None => Cell::None,
    }
}

fn table(found: &[Recorded], endings: &[Ending], shown: bool) -> Table {
    let rows = found.iter().map(|entry| {
        vec![
            Cell::number(entry.number),
            Cell::time(entry.at),
            Cell::Text(entry.operator.clone()),
            Cell::Text(entry.login.clone()),
            Cell::Text(entry.host.clone()),
            Cell::Text(entry.intent.clone()),
            Cell::Text(entry.targets.join(" ")),
            reason(entry, shown),
            Cell::maybe(audit::outcome(entry, endings)),
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
        "outcome",
        "operation",
    ];
    Table { columns, rows: rows.collect() }
}

/// Everything that one entry keeps, and how what it began has ended.
fn print_entry(
    entry: &Recorded,
    endings: &[Ending],
    shown: bool,
    form: Form,
) -> Result<(), Failure> {
    let kept = |value: Option<&Value>| {
        let mut value = value.cloned().unwrap_or_default();
        if !shown {
            mask::mask_json(&mut value);
            // Hashes of what was asked for: who may not see a name may not try names against them.
            value.as_object_mut().map(|value| value.remove("asked"));
        }
        value
    };
    let ending = endings.first();
    let parts = [
        ("before", kept(entry.before.as_ref())),
        ("after", kept(entry.after.as_ref())),
        ("ended", kept(ending.map(|ending| &ending.after))),
    ];
    let list = table(slice::from_ref(entry), endings, shown);
    let mut out = std::io::stdout().lock();
    if form == Form::Json {
        let mut value = list.value();
        let mut value = value[0].take();
        for (name, part) in parts {
            value[name] = part;
        }
        value["role"] = json!(entry.role);
        print_json(&json_answer(value, &[]), &mut out)?;
        return Ok(());
    }
    let columns = list.columns.clone();
    let cells = list.rows.into_iter().flatten();
    let mut rows: Vec<_> = columns
        .into_iter()
        .zip(cells)
        .map(|(name, cell)| vec![Cell::Text(name.to_owned()), cell])
        .collect();
    let parts = parts.into_iter().filter(|(_, part)| !part.is_null());
    rows.extend(
        parts.map(|(name, part)| vec![Cell::Text(name.to_owned()), Cell::Text(part.to_string())]),
    );
    Table { columns: vec!["what", "value"], rows }.print(form, &[], &mut out)?;
    Ok(())
}

/// `12, 15 to 16`
fn numbers(missing: &[Missing]) -> String {
    let one = |missing: &Missing| match missing {
        Missing { first, last } if first == last => first.to_string(),
        Missing { first, last } => format!("{first} to {last}"),
    };
    missing.iter().map(one).collect::<Vec<_>>().join(", ")
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
            if !found.missing.is_empty() {
                writeln!(
                    out,
                    "MISSING numbers {}: what drew them was rolled back or killed, or an entry was removed",
                    numbers(&found.missing)
                )?;
            }
            match broken {
                0 => {
                    let all = found.missing.is_empty();
                    let what = if all { "everything" } else { "what is there" };
                    writeln!(out, "{what} is as it was written")?;
                }
                broken => writeln!(out, "{broken} places are not as they were written")?,
            }
        }
        Form::Csv => {
            let rows = found.breaks.iter().map(|broken| {
                let number = broken.number.map_or(Cell::None, Cell::number);
                vec![number, Cell::Text(broken.what.clone())]
            });
            let missing = found.missing.iter().map(|missing| {
                let what = format!("missing: {}", numbers(slice::from_ref(missing)));
                vec![Cell::number(missing.first), Cell::Text(what)]
            });
            Table { columns: vec!["audit", "broken"], rows: rows.chain(missing).collect() }.print(
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
                "missing": found.missing.iter().map(|missing| json!([missing.first, missing.last])).collect::<Vec<_>>(),
                "newest_anchor": anchor.map(|(number, hash)| json!({ "number": number, "hash": hash })),
            });
            print_json(&json_answer(value, &[]), &mut out)?;
        }
    }
    Ok(())
}
