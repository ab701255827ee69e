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
    domain::{report::Form, search as language, zone::Clock},
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
    table.print(form, &mut std::io::stdout().lock())?;
    let mut notes = page.coverage.clone();
    if page.rows.is_empty() && page.complete {
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
    if form == Form::Json && !notes.is_empty() {
        writeln!(err, "{}", json!({ "notes": notes }))?;
    } else {
        for note in &notes {
            writeln!(err, "{note}")?;
        }
    }
    Ok(match (page.rows.is_empty(), page.complete) {
        (_, false) => exit::PARTIAL,
        (true, true) => exit::NOTHING,
        (false, true) => exit::FOUND,
    })
}

/// The query with the place that is wrong underlined.
fn marked(text: &str, error: &language::SearchError) -> Failure {
    let before = text.get(..error.at.start).unwrap_or_default().chars().count();
    let wrong = text.get(error.at.clone()).unwrap_or_default().chars().count().max(1);
    let shown = crate::domain::text::clean(text);
    Failure::usage(format!("{error}\n  {shown}\n  {}{}", " ".repeat(before), "^".repeat(wrong)))
}
