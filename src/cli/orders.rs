//! `orderscope orders …`

use std::io::Write;

use serde_json::json;

use super::{
    Failure, Outcome,
    args::{Global, Orders},
    clock, exit, open,
};
use crate::{
    config::Settings,
    domain::{
        coverage,
        report::{Form, json_answer, print_json},
        search as language, text,
        zone::Clock,
    },
    ops::{
        operator::Operator,
        report,
        search::{self, Count, Start},
    },
};

pub(super) async fn run(verb: Orders, global: &Global, settings: &Settings) -> Outcome {
    let Orders::Search { query, without, limit, count, output } = verb;
    let without = without.iter().map(|term| format!("-{term}"));
    let text = query.into_iter().chain(without).collect::<Vec<_>>().join(" ");
    let clock = Clock { now: clock::now(), zone: settings.zone };
    let query = language::parse(&text, &clock).map_err(|error| marked(&text, &error))?;
    query.guesses_nothing().map_err(|error| marked(&text, &error))?;
    let session = open::open(global, settings).await?;
    let operator = Operator::new(global.operator.as_deref(), session.layout.role())
        .map_err(|error| Failure::usage(error.to_string()));
    let stop = tokio_util::sync::CancellationToken::new();
    let answer = session
        .db
        .read("orders search", &stop, async |conn| {
            let layout = &session.layout;
            let page =
                search::page(conn, layout, &query, Start::Newest, usize::from(limit)).await?;
            let counted =
                if count { Some(search::count(conn, layout, &page.plan).await?) } else { None };
            Ok((page, counted))
        })
        .await;
    session.close().await;
    let (page, counted) = answer?;
    let file = crate::config::state_dir().join(search::record::FILE);
    search::record::recorded(file, &query, page.rows.len(), &operator?, clock::now()).await?;
    let form = Form::from(output.output);
    let table = report::orders(&page.rows, true).in_zone(settings.zone);
    let mut out = std::io::stdout().lock();
    if form == Form::Json {
        let mut facts = json!({ "rows": table.value(), "more": page.older.is_some() });
        if let Some(count) = counted {
            let (rows, worth) = match count {
                Count::Exact(rows) => (rows, "exact"),
                Count::MoreThan(rows) => (rows, "more than"),
                Count::AtLeast(rows) => (rows, "at least"),
                Count::About(rows) => (rows, "estimate"),
            };
            facts["count"] = json!({ "rows": rows, "counted": worth });
        }
        print_json(&json_answer(facts, &page.coverage), &mut out)?;
    } else {
        table.print(form, &page.coverage, &mut out)?;
    }
    let mut notes = query.notes.clone();
    notes.extend(page.coverage.iter().map(ToString::to_string));
    let partial = !page.complete || coverage::leaves_unknown(&page.coverage);
    if page.rows.is_empty() && !partial {
        notes.push("no order matches".to_owned());
    }
    if page.older.is_some() {
        notes.push(format!("there are more; --limit shows more than {limit}"));
    }
    if let Some(count) = counted {
        notes.insert(
            0,
            match count {
                Count::Exact(rows) => format!("{rows} match"),
                Count::MoreThan(rows) => format!("more than {rows} match"),
                Count::AtLeast(rows) => format!("at least {rows} match"),
                Count::About(rows) => format!("about {rows} match (estimated)"),
            },
        );
    }
    // What is not part of the answer goes beside it, so that pipes stay clean.
    let mut err = std::io::stderr().lock();
    for note in &notes {
        writeln!(err, "{}", text::clean(note))?;
    }
    Ok(match (page.rows.is_empty(), partial) {
        (_, true) => exit::PARTIAL,
        (true, false) => exit::NOTHING,
        (false, false) => exit::FOUND,
    })
}

/// More of a wrong term is not repeated.
const LONGEST_TERM: usize = 40;

/// The term that is wrong, with the place underlined. The rest of the query may name people.
fn marked(text: &str, error: &language::SearchError) -> Failure {
    let blank = |c: char| c.is_whitespace();
    let from =
        text.get(..error.at.start).map_or(0, |before| before.rfind(blank).map_or(0, |at| at + 1));
    let term = text.get(from..).unwrap_or_default();
    let term = term.split(blank).next().unwrap_or_default();
    let before = text.get(from..error.at.start).unwrap_or_default().chars().count();
    let wrong = text.get(error.at.clone()).unwrap_or_default().chars().count().max(1);
    let shown = text::cut(term, LONGEST_TERM);
    let wrong = wrong.min(shown.chars().count().saturating_sub(before)).max(1);
    Failure::usage(format!("{error}\n  {shown}\n  {}{}", " ".repeat(before), "^".repeat(wrong)))
}
