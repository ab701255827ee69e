//! How archived copies look: each by its line, and in full once it is opened.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::{ArchivedMessage, Context, Detail, State};
use crate::{
    domain::{address::short_destination, age::Age, contract, text, text::thousands},
    ops::archive::{Parts, report},
    tui::{
        screens::messages::{
            body,
            sub::{Drawn, Legend},
        },
        ui::theme::Theme,
    },
};

/// Columns wide enough for destinations beside when a copy was put back.
const ROOMY: u16 = 86;

impl Drawn for State {
    fn title(&self) -> String {
        "Copies".to_owned()
    }

    fn header(&self, roomy: bool) -> &'static str {
        if roomy {
            "  copy     age      cause        type                 to                  put back"
        } else {
            "  copy     age      cause        type                 put back"
        }
    }

    fn roomy(&self) -> u16 {
        ROOMY
    }

    fn line(
        &self,
        index: usize,
        sign: Span<'static>,
        roomy: bool,
        cx: Context<'_>,
    ) -> Option<Line<'static>> {
        Some(line(self.paged.rows.get(index)?, sign, roomy, cx))
    }

    fn empty(&self, cx: Context<'_>) -> Line<'static> {
        self.paged.empty(cx, "No copies: no message was quarantined, repaired or purged here")
    }

    fn footnotes(&self, cx: Context<'_>, width: u16) -> Vec<Line<'static>> {
        let told = "Enter: its body   x, then e or n (outbox) or b (error queue): put back";
        self.paged.footnotes(cx, width, told)
    }

    fn detail(&self, cx: Context<'_>, width: usize) -> Detail {
        let title = match self.selected() {
            Some(kept) => format!("Copy {}", kept.number),
            None => "Copy".to_owned(),
        };
        let order = self.whole().and_then(|whole| whole.order);
        let note = if order.is_some() { "Enter: its order" } else { "" };
        Detail { title, note, lines: lines(self, cx, width) }
    }

    fn legend(&self) -> Legend {
        LEGEND
    }
}

/// One row of the list.
fn line(row: &ArchivedMessage, mark: Span<'static>, roomy: bool, cx: Context<'_>) -> Line<'static> {
    let Context { shared, theme, .. } = cx;
    let age = Age::of(row.at, shared.now.utc).to_string();
    let kind = row.kinds.as_deref().map_or(row.place.as_str(), contract::first);
    let mut spans = vec![
        mark,
        Span::styled(text::fit(&thousands(row.number), 9), theme.accent),
        Span::raw(text::fit(&age, 9)),
        Span::raw(text::fit(&row.cause, 13)),
        Span::raw(text::fit(&contract::shortest(kind), 20)),
        Span::raw(" "),
    ];
    if roomy {
        let to = contract::shortest(short_destination(row.destination.as_deref()));
        spans.push(Span::styled(text::fit(&to, 20), theme.muted));
    }
    if let Some(at) = row.returned {
        let told = format!("{} ago", Age::of(at, shared.now.utc));
        spans.push(Span::styled(if roomy { told } else { "put back".to_owned() }, theme.ok));
    }
    Line::from(spans)
}

/// What is known of the copy under the cursor; all of it once it was opened.
fn lines(state: &State, cx: Context<'_>, width: usize) -> Vec<Line<'static>> {
    let Context { shared, theme, unfolded, .. } = cx;
    let Some(kept) = state.selected() else {
        return vec![Line::styled("no copy is chosen", theme.muted)];
    };
    let whole = state.whole();
    let table = whole.map_or_else(|| report::fields(kept), |whole| whole.fields(kept));
    let mut out = body::fields(&table, shared, theme, width);
    let Some(whole) = whole else {
        out.push(Line::default());
        out.push(told(state, kept, theme));
        return out;
    };
    let covered = if shared.masked { ", personal data covered" } else { "" };
    let Parts { headers, properties, body } = whole.parts(shared.masked);
    for (name, value) in [("headers", headers), ("properties", properties)] {
        if !matches!(&value, Value::Null) {
            out.push(Line::styled(name, theme.muted));
            out.extend(body::pretty(&value));
        }
    }
    let fold = if unfolded { "J folds" } else { "J unfolds" };
    out.push(Line::styled(format!("body ({fold}{covered})"), theme.muted));
    if i64::try_from(whole.body.len()).is_ok_and(|read| read < whole.kept.bytes) {
        let cut = format!("only its first {} bytes were read", whole.body.len());
        out.push(Line::styled(cut, theme.warn));
    }
    out.extend(body::pretty(&if unfolded { body } else { body::folded(body) }));
    out
}

/// Why there is no more yet.
fn told(state: &State, kept: &ArchivedMessage, theme: &Theme) -> Line<'static> {
    if state.of != Some(kept.number) {
        return Line::styled("Enter shows its headers and body", theme.key);
    }
    match (&state.read.error, &state.read.value) {
        (Some(error), _) => {
            Line::styled(text::clean(&error.to_string()).into_owned(), theme.danger)
        }
        (None, Some(None)) => {
            Line::styled("it is gone: copies stay for messages.copies_days", theme.muted)
        }
        (None, _) => Line::styled("Loading …", theme.muted),
    }
}

/// What `i` tells.
const LEGEND: Legend = &[
    ("quarantined", "taken out of its outbox while it was pending"),
    ("repaired", "as it was before it was repaired; the repaired one leaves as well"),
    ("purged", "removed with its delivered outbox"),
    ("delivered", "delivered by Orderscope's relay, which removed its row (relay.keep_days)"),
    ("discarded", "taken out of an error queue of the broker"),
    (
        "put back",
        "e, n: into an outbox of its own, under its id or another; b: into its error queue",
    ),
];
