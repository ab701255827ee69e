//! Copies of what was taken out or changed, as a list of the screen: each by its line, and in full once it is opened.

use std::sync::Arc;

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::{ArchivedMessage, COPY, Effects, Pane, Request, State, Ticket, detail};
use crate::{
    db,
    domain::{address::short_destination, age::Age, contract, id::OrderId, text, text::thousands},
    ops::archive::{Parts, Whole, report},
    tui::{
        effect::Effect,
        route::Route,
        shared::Shared,
        ui::{remote::Remote, theme::Theme},
    },
};

/// Columns wide enough for destinations beside when a copy was put back.
pub(super) const ROOMY: u16 = 86;

/// The copy that was opened.
#[derive(Debug, Default)]
pub(super) struct Copies {
    read: Remote<Option<Arc<Whole>>, db::Error>,
    of: Option<i64>,
}

impl Copies {
    /// The copy of this number, once it was read.
    pub(super) fn whole(&self, number: i64) -> Option<&Arc<Whole>> {
        self.read.value.as_ref()?.as_ref().filter(|whole| whole.kept.number == number)
    }
}

/// What was read of the copy under the cursor.
pub(super) fn whole(state: &State) -> Option<&Arc<Whole>> {
    state.copies.whole(state.copy()?.number)
}

/// The order that the copy under the cursor names.
pub(super) fn order(state: &State) -> Option<OrderId> {
    whole(state)?.order
}

/// Enter: a copy leads to its whole text, that to the order it names.
pub(super) fn enter(state: &mut State, shared: &Shared) -> Effects {
    let Some(number) = state.copy().map(|kept| kept.number) else { return vec![] };
    if state.pane == Pane::Detail
        && let Some(whole) = whole(state)
    {
        return match whole.order {
            Some(order) => vec![Effect::Open(Route::Timeline { order, at: None, diff: None })],
            None => vec![Effect::Warn("its body names no order".to_owned())],
        };
    }
    state.pane = Pane::Detail;
    state.detail_offset = 0;
    if state.copies.of == Some(number) && whole(state).is_some() {
        return vec![];
    }
    let copies = &mut state.copies;
    copies.of = Some(number);
    copies.read.value = None;
    copies.read.error = None;
    let ticket = copies.read.begin(shared.now.instant);
    vec![Effect::Run(COPY, Request::Copy { ticket, number })]
}

pub(super) fn read(
    state: &mut State,
    ticket: Ticket,
    result: Result<Option<Arc<Whole>>, db::Error>,
    shared: &Shared,
) {
    state.copies.read.settle(ticket, result, shared.now.instant);
}

/// One row of the list.
pub(super) fn line(
    row: &ArchivedMessage,
    mark: Span<'static>,
    roomy: bool,
    shared: &Shared,
    theme: &Theme,
) -> Line<'static> {
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
pub(super) fn detail(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let Some(kept) = state.copy() else {
        return vec![Line::styled("no copy is chosen", theme.muted)];
    };
    let whole = state.copies.whole(kept.number);
    let table = whole.map_or_else(|| report::fields(kept), |whole| whole.fields(kept));
    let mut out = detail::fields(&table, shared, theme, width);
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
            out.extend(detail::pretty(&value));
        }
    }
    let fold = if state.unfolded { "J folds" } else { "J unfolds" };
    out.push(Line::styled(format!("body ({fold}{covered})"), theme.muted));
    if i64::try_from(whole.body.len()).is_ok_and(|read| read < whole.kept.bytes) {
        let cut = format!("only its first {} bytes were read", whole.body.len());
        out.push(Line::styled(cut, theme.warn));
    }
    out.extend(detail::pretty(&if state.unfolded { body } else { detail::folded(body) }));
    out
}

/// Why there is no more yet.
fn told(state: &State, kept: &ArchivedMessage, theme: &Theme) -> Line<'static> {
    if state.copies.of != Some(kept.number) {
        return Line::styled("Enter shows its headers and body", theme.key);
    }
    match (&state.copies.read.error, &state.copies.read.value) {
        (Some(error), _) => {
            Line::styled(text::clean(&error.to_string()).into_owned(), theme.danger)
        }
        (None, Some(None)) => {
            Line::styled("it is gone: copies stay for messages.copies_days", theme.muted)
        }
        (None, _) => Line::styled("reading …", theme.muted),
    }
}
