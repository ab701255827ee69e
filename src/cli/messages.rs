//! `orderscope messages …`

use std::{io::Write, time::Duration};

use serde_json::{Value, json};

use super::{
    Failure, Outcome,
    args::{Global, MessageView, Messages, Only, Output},
    broker_source, clock, exit, open, outbox_action,
};
use crate::{
    config::{self, Settings},
    db,
    domain::{
        backlog::Samples,
        coverage::{self, NotLookedAt},
        diagnosis::{Severity, diagnose, is_alert},
        endless,
        id::{MessageId, OutboxId},
        outbox_action::Refusal,
        report::{Cell, Form, Table, json_answer, print_json},
        text, typed,
    },
    ops::{
        archive::{self as copied, Parts, report as copies_of},
        messages::{
            self, Message, MessageKey, Status, Watch, broker,
            list::{self, Filter, Page, View},
            report,
        },
    },
    session::Session,
};

/// So many looks at most, so far apart: a worker that is well sends something in every second.
const LOOKS: u32 = 4;
const APART: Duration = Duration::from_secs(1);

pub(super) async fn run(verb: Messages, global: &Global, settings: &Settings) -> Outcome {
    let verb = match verb {
        Messages::OutboxAction(action) => {
            return Box::pin(outbox_action::messages(action, global, settings)).await;
        }
        verb => verb,
    };
    if let Messages::List { view: MessageView::Kept | MessageView::Held, only, .. } = &verb
        && !filters(only).is_empty()
    {
        let why =
            "--type, --to and --outbox choose among messages of outboxes, not copies and holds";
        return Err(Failure::usage(why));
    }
    let key = match &verb {
        Messages::Show { id: Some(id), .. } | Messages::Why { id: Some(id), .. } => {
            Some(parse(id)?)
        }
        Messages::Drain(args) => return super::drain::run(args, global, settings).await,
        Messages::Status { .. }
        | Messages::List { .. }
        | Messages::History { .. }
        | Messages::Show { id: None, .. }
        | Messages::Why { id: None, .. }
        | Messages::OutboxAction(_) => None,
    };
    let watch = open::watch(settings);
    let session = open::open(global, settings).await?;
    let done = match (verb, key) {
        (Messages::Show { output, .. }, Some(key)) => {
            show(&session, &watch, key, output.output, settings).await
        }
        (Messages::Show { kept: Some(number), output, .. }, None) => {
            copy(&session, number, output.output, settings).await
        }
        (Messages::Why { output, .. }, key) => {
            why(&session, &watch, key, output.output, settings).await
        }
        (Messages::List { view, only, limit, output }, _) => {
            let filters = filters(&only);
            list(&session, view, &filters, limit as usize, output.output, settings).await
        }
        (Messages::History { days, output }, _) => {
            history(&session, days, output.output, settings).await
        }
        (Messages::Status { output } | Messages::Show { output, .. }, _) => {
            status(&session, &watch, output.output, settings).await
        }
        // They open the database by themselves, to write.
        (Messages::Drain(_) | Messages::OutboxAction(_), _) => Ok(exit::FOUND),
    };
    session.close().await;
    done
}

async fn history(session: &Session, days: u16, output: Output, settings: &Settings) -> Outcome {
    let within = chrono::TimeDelta::days(i64::from(days));
    let stored = read(session, "messages history", async |conn| {
        messages::history::stored(conn, within).await
    });
    match stored.await? {
        Ok(slices) => {
            print(report::slices(&slices), &[], output, settings)?;
            Ok(if slices.is_empty() { exit::NOTHING } else { exit::FOUND })
        }
        Err(why) => Err(Failure { message: why.to_string(), code: exit::REFUSED }),
    }
}

/// A sequence number or a message id.
fn parse(text: &str) -> Result<MessageKey, Failure> {
    let plain = typed::plain(text).trim().replace(',', "");
    if let Ok(sequence) = plain.parse() {
        return Ok(MessageKey::Sequence(sequence));
    }
    let id = plain.parse().map_err(|_| {
        Failure::usage(format!("{text:?} is neither a sequence number nor a message id"))
    })?;
    Ok(MessageKey::Message(MessageId(id)))
}

pub(super) async fn read<T>(
    session: &Session,
    who: &str,
    work: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T, crate::db::Error>,
) -> Result<T, Failure> {
    let stop = tokio_util::sync::CancellationToken::new();
    Ok(session.db.read(who, &stop, work).await?)
}

pub(super) fn print(
    table: Table,
    unseen: &[NotLookedAt],
    output: Output,
    settings: &Settings,
) -> Result<(), Failure> {
    let table = table.in_zone(settings.zone);
    Ok(table.print(Form::from(output), unseen, &mut std::io::stdout().lock())?)
}

pub(super) fn print_value(facts: Value, unseen: &[NotLookedAt]) -> Result<(), Failure> {
    Ok(print_json(&json_answer(facts, unseen), &mut std::io::stdout().lock())?)
}

/// What was not looked at, beside the answer.
pub(super) fn tell(unseen: &[NotLookedAt]) -> Result<(), Failure> {
    let mut err = std::io::stderr().lock();
    for one in unseen {
        writeln!(err, "not looked at: {}", text::clean(&one.to_string()))?;
    }
    Ok(())
}

/// The exit code: a fault that was found; else whether everything could be looked at; else `sound`.
pub(super) fn code(fault: bool, unseen: &[NotLookedAt], sound: u8) -> u8 {
    match (fault, coverage::leaves_unknown(unseen)) {
        (true, _) => exit::NOTHING,
        (false, true) => exit::PARTIAL,
        (false, false) => sound,
    }
}

/// The same with what the broker adds, where one is configured. It is asked for some seconds at most.
pub(super) async fn with_broker(mut status: Status, settings: &Settings) -> Status {
    if !status.concerns_broker() || config::broker(None, settings).is_err() {
        return status;
    }
    match broker_source::source(None, settings) {
        Ok(source) => {
            let told = broker::ask(&source, &status.question()).await;
            status.with_broker(&told)
        }
        Err(failure) => {
            status.coverage.push(NotLookedAt::narrowed("the broker", failure.message));
            status
        }
    }
}

/// Looks, and where an old outbox is open looks again: one look cannot tell what moves.
pub(super) async fn looked(session: &Session, watch: &Watch, who: &str) -> Result<Status, Failure> {
    let layout = &session.layout;
    let mut looks = Samples::default();
    for again in (0..LOOKS).rev() {
        let status = read(session, who, async |conn| {
            messages::status_with_history(conn, layout, watch, &clock::handed(), &mut looks).await
        })
        .await?;
        if again == 0 || !status.needs_another_look() {
            return Ok(status);
        }
        tokio::time::sleep(APART).await;
    }
    Err(Failure::usage("no look was taken"))
}

async fn status(session: &Session, watch: &Watch, output: Output, settings: &Settings) -> Outcome {
    let status = looked(session, watch, "messages status").await?;
    let status = with_broker(status, settings).await;
    if output == Output::Json {
        let mut facts = report::status_value(&status);
        facts["standby"] = session.standby_value();
        print_value(facts, &status.coverage)?;
    } else {
        let mut table = report::status(&status);
        table.rows.extend(standby(session));
        print(table, &status.coverage, output, settings)?;
    }
    tell(&status.coverage)?;
    Ok(code(status.is_alert(), &status.coverage, exit::FOUND))
}

/// What to say of a server that follows another one.
fn standby(session: &Session) -> Option<Vec<Cell>> {
    session.standby().map(|told| vec![Cell::Text("server".to_owned()), Cell::Text(told)])
}

/// As the lists of the screen are narrowed.
fn filters(only: &Only) -> Vec<Filter> {
    let Only { kind, to, outbox } = only;
    let to = to.as_ref().map(|to| match to.as_str() {
        "none" | "(none)" => None,
        _ => Some(to.clone()),
    });
    kind.clone()
        .map(Filter::Type)
        .into_iter()
        .chain(to.map(Filter::Destination))
        .chain(outbox.map(|id| Filter::Outbox(OutboxId(id))))
        .collect()
}

async fn list(
    session: &Session,
    view: MessageView,
    filters: &[Filter],
    limit: usize,
    output: Output,
    settings: &Settings,
) -> Outcome {
    let view = match view {
        MessageView::Kept => return copies(session, limit, output, settings).await,
        MessageView::Held => return holds(session, output, settings).await,
        MessageView::Pending => View::Pending,
        MessageView::Delivered => View::Delivered,
        MessageView::Orphan => View::Orphan,
        MessageView::Expired => View::Expired,
        MessageView::Undeliverable => View::Undeliverable,
    };
    let (layout, now) = (&session.layout, clock::now());
    let page = read(session, "messages list", async |conn| {
        list::outbox(conn, layout, (view, filters), None, limit, now).await
    })
    .await?;
    told(page, limit, report::messages, output, settings)
}

async fn copies(session: &Session, limit: usize, output: Output, settings: &Settings) -> Outcome {
    let page = read(session, "messages list", async |conn| list::archived(conn, None, limit).await)
        .await?;
    told(page, limit, copies_of::copies, output, settings)
}

async fn holds(session: &Session, output: Output, settings: &Settings) -> Outcome {
    let page = read(session, "messages list", async |conn| list::paused(conn).await).await?;
    told(page, usize::MAX, copies_of::held, output, settings)
}

/// Prints a page of a list, and what was not looked at.
pub(super) fn told<T>(
    page: Page<T>,
    limit: usize,
    table: impl FnOnce(&[T]) -> Table,
    output: Output,
    settings: &Settings,
) -> Outcome {
    let Page { rows, more, coverage } = page;
    if output == Output::Json {
        let rows = table(&rows).value();
        print_value(json!({ "rows": rows, "more": more }), &coverage)?;
    } else {
        print(table(&rows), &coverage, output, settings)?;
    }
    tell(&coverage)?;
    if more {
        writeln!(std::io::stderr(), "there are more; --limit shows more than {limit}")?;
    }
    Ok(code(false, &coverage, if rows.is_empty() { exit::NOTHING } else { exit::FOUND }))
}

async fn find(session: &Session, watch: &Watch, key: MessageKey) -> Result<Message, Failure> {
    let layout = &session.layout;
    let found = read(session, "messages show", async |conn| {
        messages::message(conn, layout, watch, key).await
    })
    .await?;
    found.ok_or_else(|| match layout.not_looked_at(&[db::Table::OutboxMessages]).first() {
        Some(unseen) => Failure {
            message: format!("whether there is such a message is not known: {}", unseen.why),
            code: exit::PARTIAL,
        },
        None => Failure {
            message:
                "no such message is in the outbox: it was delivered or purged, nobody can say which"
                    .to_owned(),
            code: exit::NOTHING,
        },
    })
}

async fn show(
    session: &Session,
    watch: &Watch,
    key: MessageKey,
    output: Output,
    settings: &Settings,
) -> Outcome {
    let message = find(session, watch, key).await?;
    let table = report::envelope(&message, clock::now());
    let body = report::body(&message, true);
    let [(_, headers), (_, properties)] = report::parts(&message, true);
    tell(&message.coverage)?;
    let parts = Parts { headers, properties, body };
    whole(table, parts, &message.coverage, output, settings)
}

/// A copy with everything that was kept.
async fn copy(session: &Session, number: i64, output: Output, settings: &Settings) -> Outcome {
    let found =
        read(session, "messages show", async |conn| copied::read(conn, number).await).await?;
    let Some(copy) = found else {
        let message = Refusal::NotKept(number).to_string();
        return Err(Failure { message, code: exit::NOTHING });
    };
    whole(copy.fields(&copy.kept), copy.parts(true), &[], output, settings)
}

/// Prints fields with what is long below them.
fn whole(
    mut table: Table,
    parts: Parts,
    unseen: &[NotLookedAt],
    output: Output,
    settings: &Settings,
) -> Outcome {
    let Parts { headers, properties, body } = parts;
    let found = code(false, unseen, exit::FOUND);
    if output == Output::Json {
        let mut value = fields(&table);
        value["headers"] = headers;
        value["properties"] = properties;
        value["body"] = body;
        print_value(value, unseen)?;
        return Ok(found);
    }
    for (name, value) in [("headers", headers), ("properties", properties), ("body", body)] {
        if !value.is_null() {
            table.rows.push(vec![Cell::Text(name.to_owned()), Cell::Text(value.to_string())]);
        }
    }
    print(table, unseen, output, settings)?;
    Ok(found)
}

/// A table of fields and values as one object; of several values of a field, a list.
fn fields(table: &Table) -> Value {
    let mut all = serde_json::Map::new();
    for row in &table.rows {
        let (name, value) = match row.as_slice() {
            [Cell::Text(name), _] if name == "not looked at" => continue,
            [Cell::Text(name), Cell::Text(value) | Cell::Number(value)] => (name, json!(value)),
            [Cell::Text(name), Cell::Time(at)] => (name, json!(endless::json(at.to_utc()))),
            _ => continue,
        };
        all.insert(name.replace(' ', "_"), value);
    }
    Value::Object(all)
}

/// All findings; or, of one message, what is wrong with it and which findings concern the whole line.
async fn why(
    session: &Session,
    watch: &Watch,
    key: Option<MessageKey>,
    output: Output,
    settings: &Settings,
) -> Outcome {
    let message = match key {
        Some(key) => Some(find(session, watch, key).await?),
        None => None,
    };
    let status = looked(session, watch, "messages why").await?;
    let status = with_broker(status, settings).await;
    let mut found = diagnose(&status.facts, &watch.thresholds);
    if let Some(message) = &message {
        found = messages::concerning(found, message, &status.facts);
        let bad = !message.poison.is_empty() || is_alert(&found);
        let ended = code(bad, &message.coverage, exit::FOUND);
        tell(&message.coverage)?;
        if output == Output::Json {
            let facts = json!({
                "message": fields(&report::envelope(message, status.facts.now)),
                "poison": message.poison.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "findings": report::findings_value(&found),
                "verdict": messages::verdict(message, &found),
            });
            print_value(facts, &message.coverage)?;
            return Ok(ended);
        }
        let mut table = report::envelope(message, status.facts.now);
        table.rows.extend(found.iter().map(|finding| {
            vec![Cell::Text(finding.rule.name().to_owned()), Cell::Text(finding.what.clone())]
        }));
        table.rows.push(vec![
            Cell::Text("so".to_owned()),
            Cell::Text(messages::verdict(message, &found)),
        ]);
        print(table, &message.coverage, output, settings)?;
        return Ok(ended);
    }
    if output == Output::Json {
        let facts = json!({
            "findings": report::findings_value(&found),
            "facts": report::facts_value(&status.facts),
        });
        print_value(facts, &status.coverage)?;
    } else {
        print(report::findings(&found), &status.coverage, output, settings)?;
    }
    if found.is_empty() {
        writeln!(std::io::stderr(), "{}", report::no_fault(&status.coverage))?;
    }
    tell(&status.coverage)?;
    let faults = found.iter().any(|finding| finding.severity > Severity::Note);
    Ok(code(faults, &status.coverage, exit::FOUND))
}
