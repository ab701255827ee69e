//! The list: messages, groups of them, or inbox rows.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    style::Style,
    text::{Line, Span},
};

use super::{Filter, Group, Msg, Pane, Pivot, Row, State, Sub, View, archive, errors, inbox};
use crate::{
    domain::{
        address::{Address, short_destination},
        age::Age,
        contract,
        outbox::Delivery,
        text,
        text::thousands,
    },
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            pane::{clipped, pane},
            theme::Theme,
        },
        words,
    },
};

/// Columns wide enough for this show more.
const ROOMY: u16 = 70;
/// Wide enough for what the pivots count, below the rows of a tall list.
const TELLING: u16 = 60;
/// A list of fewer lines has better use for them.
const TALL: u16 = 12;

pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.pane == Pane::List;
    let inner = pane(frame, area, theme, &title(state), &note(state), focused);
    let mut foot = footnotes(state, shared, theme, inner.width);
    if inner.height >= TALL {
        foot.extend(groups(state, theme, inner.width));
    }
    let below = u16::try_from(foot.len()).unwrap_or(0).min(inner.height / 3);
    let [head, body, notes] = inner.layout(&Layout::vertical([Length(1), Fill(1), Length(below)]));
    let roomy = inner.width >= if state.sub == Sub::Kept { archive::ROOMY } else { ROOMY };
    frame.render_widget(Line::styled(header(state, roomy), theme.header), head);
    let len = state.len();
    let visible = state.cursor.visible(usize::from(body.height), len);
    hits.pane(body, 0, usize::from(body.height));
    for (line, index) in (0..body.height).zip(visible) {
        let place = Rect { y: body.y + line, height: 1, ..body };
        let is_cursor = index == state.cursor.index;
        if let Some(row) = row_line(state, index, is_cursor, roomy, shared, theme) {
            clipped(frame, place, row);
        }
        if is_cursor {
            let style = if focused { theme.cursor } else { theme.chosen };
            frame.buffer_mut().set_style(place, style);
        }
        hits.click(place, Msg::Clicked(index));
    }
    if len == 0 {
        clipped(frame, Rect { height: body.height.min(1), ..body }, empty(state, theme));
    }
    for (line, text) in (0..notes.height).zip(foot) {
        clipped(frame, Rect { y: notes.y + line, height: 1, ..notes }, text);
    }
}

fn title(state: &State) -> String {
    let sub = match (state.pivot, state.sub) {
        (Some(Pivot::Type), _) => return "Pending by type".to_owned(),
        (Some(Pivot::Destination), _) => return "Pending by destination".to_owned(),
        (Some(Pivot::Outbox), _) => return "Pending by outbox".to_owned(),
        (None, Sub::Outbox(View::Pending)) => "Outbox: pending",
        (None, Sub::Outbox(View::Delivered)) => "Outbox: delivered, still present",
        (None, Sub::Outbox(View::Orphan)) => "Outbox: orphans",
        (None, Sub::Outbox(View::Expired)) => "Outbox: expired",
        (None, Sub::Outbox(View::Undeliverable)) => "Outbox: undeliverable",
        (None, Sub::Inbox) => return state.inbox.title(),
        (None, Sub::Errors) => return state.errors.title(),
        (None, Sub::Kept) => "Kept: taken out or changed by hand",
    };
    match &state.filter {
        None => sub.to_owned(),
        Some(Filter::Type(kind)) => format!("{sub}, {} (Esc: all)", contract::short(kind)),
        Some(Filter::Destination(to)) => {
            format!("{sub}, to {} (Esc: all)", short_destination(to.as_deref()))
        }
        Some(Filter::Outbox(id)) => format!("{sub}, outbox {} (Esc: all)", id.short()),
    }
}

/// Where `<` and `>` lead, with how much is there.
fn note(state: &State) -> String {
    let Some(status) = state.status() else { return "< >".to_owned() };
    let facts = &status.facts;
    let sub = |sub: Sub| match sub {
        Sub::Outbox(View::Pending) => format!("pending {}", facts.pending()),
        Sub::Outbox(View::Orphan) => format!("orphan {}", facts.orphans),
        Sub::Outbox(View::Expired) => format!("expired {}", facts.expired),
        Sub::Outbox(View::Undeliverable) => format!("undeliverable {}", facts.undeliverable),
        Sub::Outbox(View::Delivered) => "delivered".to_owned(),
        Sub::Inbox => format!("inbox {}", facts.inbox.rows),
        Sub::Errors => "errors".to_owned(),
        Sub::Kept => "kept".to_owned(),
    };
    let at = Sub::ALL.iter().position(|one| *one == state.sub).unwrap_or(0);
    let len = Sub::ALL.len();
    format!("< {} | {} >", sub(Sub::ALL[(at + len - 1) % len]), sub(Sub::ALL[(at + 1) % len]))
}

fn header(state: &State, roomy: bool) -> &'static str {
    match (state.pivot, state.sub, roomy) {
        (Some(_), ..) => "  messages  oldest    group",
        (None, Sub::Outbox(_), true) => {
            "  seq      age      state     type                 to                  corr"
        }
        (None, Sub::Outbox(_), false) => "  seq      age      state     type                 to",
        (None, Sub::Inbox, true) => inbox::HEADER,
        (None, Sub::Errors, _) => state.errors.header(),
        (None, Sub::Kept, true) => {
            "  copy     age      cause        type                 to                  put back"
        }
        (None, Sub::Kept, false) => {
            "  copy     age      cause        type                 put back"
        }
        (None, Sub::Inbox, false) => "  msg    consumer            received        passes  note",
    }
}

fn row_line(
    state: &State,
    index: usize,
    is_cursor: bool,
    roomy: bool,
    shared: &Shared,
    theme: &Theme,
) -> Option<Line<'static>> {
    let mark = Span::styled(if is_cursor { "> " } else { "  " }, theme.key);
    if let Some(groups) = state.groups() {
        let group = groups.get(index)?;
        let oldest = group
            .oldest
            .map_or_else(|| "-".to_owned(), |at| Age::of(at, shared.now.utc).to_string());
        let name = match (state.pivot, group.key.as_deref()) {
            (Some(Pivot::Type), Some(kind)) => contract::short(kind).to_owned(),
            (Some(Pivot::Destination), to) => short_destination(to).to_owned(),
            (_, key) => key.unwrap_or("(none)").to_owned(),
        };
        return Some(Line::from(vec![
            mark,
            Span::styled(format!("{:>8}  ", thousands(group.messages)), theme.accent),
            Span::raw(text::fit(&oldest, 10)),
            Span::raw(text::clean(&name).into_owned()),
        ]));
    }
    Some(match state.sub {
        Sub::Outbox(_) => {
            message_line(state.rows.messages.get(index)?, state, mark, roomy, shared, theme)
        }
        Sub::Inbox => inbox::line(state.rows.inbox.get(index)?, state, mark, roomy, shared, theme),
        Sub::Errors => errors::view::line(&state.errors, index, mark, shared, theme)?,
        Sub::Kept => archive::line(state.rows.kept.get(index)?, mark, roomy, shared, theme),
    })
}

fn message_line(
    row: &Row,
    state: &State,
    mark: Span<'static>,
    roomy: bool,
    shared: &Shared,
    theme: &Theme,
) -> Line<'static> {
    let (told, style) = standing(row, state, theme);
    let age = Age::of(row.published, shared.now.utc).to_string();
    let to = short_destination(row.destination.as_deref());
    let to = contract::shortest(to);
    let to = if roomy { text::fit(&to, 20) } else { text::clean(&to).into_owned() };
    let aim = if row.destination.is_some() { theme.muted } else { theme.danger };
    // Where it stands comes first: what does not fit is cut at the right.
    let mut spans = vec![
        mark,
        Span::styled(text::fit(&thousands(row.sequence), 9), theme.accent),
        Span::raw(text::fit(&age, 9)),
        Span::styled(text::fit(told, 10), style),
        Span::raw(text::fit(&contract::shortest(&row.kind), 21)),
        Span::styled(to, aim),
    ];
    if roomy {
        let id = row.correlation.or(row.conversation).map(|id| id.simple().to_string());
        let corr = id.map_or_else(|| "-".to_owned(), |id| format!("…{}", &id[id.len() - 4..]));
        spans.push(Span::styled(corr, theme.muted));
    }
    Line::from(spans)
}

/// Where a message stands; the one that is known to be poisonous is named so.
fn standing(row: &Row, state: &State, theme: &Theme) -> (&'static str, Style) {
    let head = state.status().and_then(|status| status.facts.heads.first());
    let next =
        head.and_then(|head| head.next.as_ref()).filter(|next| next.sequence == row.sequence);
    if next.and_then(|next| next.poison.as_ref()).is_some_and(|poison| !poison.is_empty()) {
        return ("POISON", theme.danger);
    }
    if row.delivery == Delivery::Pending {
        match &row.destination {
            None => return ("NO DEST", theme.danger),
            Some(text) if Address::parse(text).is_err() => return ("BAD DEST", theme.danger),
            Some(_) => {}
        }
    }
    match row.delivery {
        Delivery::Pending if next.is_some() => ("next", theme.warn),
        Delivery::Pending => ("pending", theme.text),
        Delivery::Delivered => ("delivered", theme.ok),
        Delivery::Orphan => ("ORPHAN", theme.danger),
    }
}

fn empty(state: &State, theme: &Theme) -> Line<'static> {
    if state.sub == Sub::Errors {
        return errors::view::empty(&state.errors, theme);
    }
    if state.page.loading_since().is_some()
        || state.look.value.is_none() && state.look.error.is_none()
    {
        return Line::styled("  reading …", theme.muted);
    }
    if state.page.error.is_some() {
        return Line::styled("  nothing read yet", theme.muted);
    }
    let told = match (state.pivot, state.sub) {
        (Some(_), _) => "nothing is pending",
        (None, Sub::Outbox(View::Pending)) => {
            "nothing waits: every message is recorded as delivered, or gone"
        }
        (None, Sub::Outbox(View::Delivered)) => "no delivered message is kept here",
        (None, Sub::Outbox(View::Orphan)) => "every message has an owner",
        (None, Sub::Outbox(View::Expired)) => "no pending message is past its expiration time",
        (None, Sub::Outbox(View::Undeliverable)) => {
            "every pending message has a usable destination"
        }
        (None, Sub::Inbox) => state.inbox.empty(),
        (None, Sub::Errors) => "nothing lies in these queues",
        (None, Sub::Kept) => "nothing was taken out or changed by hand",
    };
    Line::styled(format!("  {told}"), theme.ok)
}

/// What the pivots would count, the largest first, as much of it as fits.
fn groups(state: &State, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let whole =
        state.sub == Sub::Outbox(View::Pending) && state.pivot.is_none() && state.filter.is_none();
    let Some(status) = state.status().filter(|_| whole && width >= TELLING) else { return vec![] };
    let line = |label: &'static str, of: &[Group], name: fn(Option<&str>) -> String| {
        let each = of.iter().map(|group| {
            format!("{} {}", text::clean(&name(group.key.as_deref())), thousands(group.messages))
        });
        let told = each.collect::<Vec<_>>().join("  ");
        let told = text::cut(&told, usize::from(width).saturating_sub(6));
        (!told.is_empty()).then(|| {
            Line::from(vec![Span::styled(format!("{label:<6}"), theme.muted), Span::raw(told)])
        })
    };
    let kind = |key: Option<&str>| contract::shortest(key.unwrap_or("(none)")).into_owned();
    let to = |key: Option<&str>| contract::shortest(short_destination(key)).into_owned();
    let overview = &status.overview;
    line("type", &overview.by_type, kind)
        .into_iter()
        .chain(line("to", &overview.by_destination, to))
        .collect()
}

/// What was not looked at, or only estimated: of these rows, then of the figures and the diagnosis.
fn unseen(state: &State, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let coverage = state.status().map(|status| status.coverage.as_slice()).unwrap_or_default();
    let said = |note: &&String| !coverage.iter().any(|told| told.ends_with(note.as_str()));
    let notes = state.rows.notes.iter().filter(said).chain(coverage);
    let wrap = |note: &String| words::wrapped(note, usize::from(width).max(8), 2);
    notes.flat_map(wrap).map(|line| Line::styled(line, theme.warn)).collect()
}

/// Errors first, then what was not looked at, then what the words mean.
fn footnotes(state: &State, shared: &Shared, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    if state.sub == Sub::Errors {
        return errors::view::footnotes(&state.errors, shared, theme, width);
    }
    let mut out = vec![];
    if let Some(error) = &state.page.error {
        let age = state.page.seen_at.map_or_else(
            || "nothing read yet".to_owned(),
            |at| format!("rows are {} old", words::since(at, shared)),
        );
        let told = format!("Not refreshed ({age}): {error}");
        out.push(Line::styled(text::clean(&told).into_owned(), theme.danger));
    }
    out.extend(unseen(state, theme, width));
    if width >= ROOMY {
        let told = match state.sub {
            Sub::Outbox(View::Pending) => {
                "pending: not recorded as delivered, perhaps out after a crash   i explains"
            }
            Sub::Errors => "",
            Sub::Outbox(_) => {
                "a row that is gone was delivered or purged: nobody can say which   i explains"
            }
            Sub::Kept => "Enter: its body   x, then e or n (outbox) or b (error queue): put back",
            Sub::Inbox => {
                "passes: 3, and one for each message the consumer produced, is normal   i explains"
            }
        };
        out.push(Line::styled(told, theme.muted));
    }
    out
}
