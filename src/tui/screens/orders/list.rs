//! The list of orders and the lines beneath it.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    style::Style,
    text::{Line, Span},
};

use super::{Count, Msg, Pane, Row, State, is_fault};
use crate::{
    domain::{order::Status, text, text::thousands},
    tui::{
        screens::listing::Listing as _,
        shared::Shared,
        ui::{hits::Hits, list::Look, pane::pane, theme::Theme},
        words,
    },
};

/// Columns wide enough for this show buyer and items; those go first, the flags never.
const ROOMY: u16 = 64;

pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let title = if state.faults_only {
        // Of what was read: nobody counted the faults of the others.
        let (faulty, read) = (state.visible_rows().count(), state.rows.rows.len());
        format!("Orders with a fault ({faulty} of the {read} read)")
    } else {
        format!("Orders ({})", shown_of(state))
    };
    let focused = state.pane == Pane::List && !state.typing;
    let inner = pane(frame, area, theme, &title, "", focused);
    let foot = footnotes(state, shared, theme, inner.width);
    let foot_height = u16::try_from(foot.len()).unwrap_or(0).min(inner.height / 3);
    let [head, body, below] =
        inner.layout(&Layout::vertical([Length(1), Fill(1), Length(foot_height)]));
    let rows: Vec<&Row> = state.visible_rows().collect();
    let columns = if inner.width < ROOMY {
        Columns::Few
    } else if rows.iter().any(|row| row.tenant.is_some()) {
        Columns::Tenants
    } else {
        Columns::All
    };
    frame.render_widget(Line::styled(columns.header(), theme.header), head);
    let len = rows.len();
    state.list.cursor.draw(
        Look { theme, focused, pane: 0 },
        frame,
        body,
        len,
        hits,
        |index| rows.get(index).is_some_and(|row| state.list.is_marked(&row.id)),
        Msg::Clicked,
        |index, mark| Some(row_line(rows.get(index)?, mark, shared, theme, columns)),
    );
    if len == 0 {
        empty(state, theme, frame, body);
    }
    for (line, text) in (0..below.height).zip(foot) {
        let place = Rect { y: below.y + line, height: 1, ..below };
        frame.render_widget(text, place);
    }
}

fn shown_of(state: &State) -> String {
    match &state.count.value {
        Some(count) => counted(count),
        None if state.asked.value.is_none() => "…".to_owned(),
        None if state.rows.after.is_none() && state.rows.before.is_none() => {
            state.len().to_string()
        }
        None => format!("{}+", state.len()),
    }
}

/// `143`, `more than 10,000`, `~2,555,000`.
pub(super) fn counted(count: &Count) -> String {
    match count {
        Count::Exact(rows) => thousands(*rows),
        Count::MoreThan(rows) => format!("more than {}", thousands(*rows)),
        Count::AtLeast(rows) => format!("{}+", thousands(*rows)),
        Count::About(rows) => format!("~{}", thousands(*rows)),
    }
}

/// What there is room for.
#[derive(Clone, Copy)]
enum Columns {
    All,
    /// In a store with tenants their names stand instead of seconds and items.
    Tenants,
    Few,
}

impl Columns {
    const fn header(self) -> &'static str {
        match self {
            Self::All => "  id     placed            buyer      status    items     total  flags",
            Self::Tenants => {
                "  id     placed         tenant   buyer      status        total  flags"
            }
            Self::Few => "  id     placed         status        total  flags",
        }
    }
}

fn row_line(
    row: &Row,
    mark: Span<'static>,
    shared: &Shared,
    theme: &Theme,
    columns: Columns,
) -> Line<'static> {
    let placed = |format| shared.zone.show(row.placed, format);
    let (status, style) = status(row, theme);
    let total = row.total.map_or_else(|| "?".to_owned(), |total| text::cut(&total.to_string(), 10));
    let mut spans = vec![mark, Span::styled(format!("{} ", row.id.short()), theme.accent)];
    let name = || text::fit(&words::name(row.buyer_name.as_deref(), shared), 11);
    match columns {
        Columns::All => {
            spans.push(Span::raw(format!(" {} ", placed("%y-%m-%d %H:%M:%S"))));
            spans.push(Span::raw(name()));
        }
        Columns::Tenants => {
            let tenant = row.tenant.as_deref().unwrap_or("?");
            spans.push(Span::raw(format!(" {} ", placed("%y-%m-%d %H:%M"))));
            spans.push(Span::raw(text::fit(tenant, 8) + " "));
            spans.push(Span::raw(name()));
        }
        Columns::Few => spans.push(Span::raw(format!(" {} ", placed("%y-%m-%d %H:%M")))),
    }
    spans.push(Span::styled(text::fit(status, 10), style));
    spans.push(Span::raw(match columns {
        Columns::All => {
            let items = row.items.map_or_else(|| "?".to_owned(), |items| items.to_string());
            format!(" {items:>3} {total:>9}  ")
        }
        Columns::Tenants | Columns::Few => format!(" {total:>9}  "),
    }));
    let style = if is_fault(row) { theme.danger } else { theme.muted };
    spans.push(Span::styled(flags(row, shared.kept.bookmarks.contains(&row.id)), style));
    Line::from(spans)
}

/// One letter a fact; `.` when there is nothing to say, `?` when a fact was not looked for.
fn flags(row: &Row, bookmarked: bool) -> String {
    let facts = [
        ('U', row.undelivered == Some(true)),
        ('x', row.letter == Some(true)),
        ('D', row.drift == Some(true)),
        ('o', row.stale),
        ('s', row.deleted),
        ('*', bookmarked),
    ];
    let mut out: String = facts.iter().filter(|(_, holds)| *holds).map(|(mark, _)| *mark).collect();
    if row.undelivered.is_none() || row.letter.is_none() {
        out.push('?');
    }
    if out.is_empty() { ".".to_owned() } else { out }
}

fn status(row: &Row, theme: &Theme) -> (&'static str, Style) {
    match row.status {
        _ if row.deleted => ("Deleted", theme.muted),
        Status::New => ("New", theme.info),
        Status::Completed => ("Completed", theme.ok),
        Status::Cancelled => ("Cancelled", theme.warn),
        Status::Other(_) => ("Unknown", theme.danger),
    }
}

fn empty(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let line = if state.asked.loading_since().is_some() {
        Line::styled("  searching …", theme.muted)
    } else if state.faults_only && !state.rows.rows.is_empty() {
        Line::styled("  no row on this page has a fault; Z shows all", theme.muted)
    } else if let Some(answer) = &state.asked.value {
        let all = answer.coverage.is_empty();
        let told = if all {
            "No order matches"
        } else {
            "No order matches in what was searched; what was not is told below"
        };
        Line::styled(format!("  {told}"), theme.muted)
    } else {
        Line::styled("  Not loaded yet", theme.muted)
    };
    frame.render_widget(line, area);
}

/// Errors first, then what the answer does not cover, then how to go on.
fn footnotes(state: &State, shared: &Shared, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let mut out = vec![];
    if let Some(error) = &state.error {
        out.push(Line::styled(text::cut(&format!("? {error}"), width), theme.danger));
        if !state.rows.rows.is_empty() {
            out.push(Line::styled("  the rows above answer the search before it", theme.muted));
        }
    }
    if let Some(error) = &state.asked.error {
        let age = state.asked.seen_at.map_or_else(
            || "not loaded yet".to_owned(),
            |at| format!("rows are {} old", words::since(at, shared)),
        );
        out.push(Line::styled(
            text::cut(&format!("Not refreshed ({age}): {error}"), width),
            theme.danger,
        ));
    }
    if !state.proposals.is_empty() {
        out.push(Line::styled(text::cut(&state.proposals.join("  "), width), theme.key));
    }
    if let Some(answer) = &state.asked.value {
        out.extend(
            answer.coverage.iter().map(|note| Line::styled(text::cut(note, width), theme.warn)),
        );
    }
    let marks = state.list.marks().len();
    let marked = if marks > 0 { format!("{marks} marked   ") } else { String::new() };
    out.push(Line::styled(
        text::cut(
            &format!("{marked}U undelivered  x letter  D drift  o old New  s deleted   i explains"),
            width,
        ),
        theme.muted,
    ));
    if state.rows.rows.is_empty() || state.field.text().is_empty() {
        let hint =
            "try  has:undelivered  status:new age:>24h  buyer:…  book:…  total:>100  has:drift";
        out.push(Line::styled(text::cut(hint, width), theme.muted));
    }
    out
}
