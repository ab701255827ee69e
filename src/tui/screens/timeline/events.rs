//! The list of events, each with its integration messages below it, and what operators did in between.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    text::{Line, Span},
};

use unicode_width::UnicodeWidthStr;

use super::{At, Entry, Msg, Pane, Point, State, Version, chain_pane};
use crate::{
    domain::{
        age, contract,
        mask::{is_id, veil},
        text,
    },
    ops::{analysis::OrderAnalysis, audit::Recorded, history::Message},
    tui::{
        shared::Shared,
        ui::{hits::Hits, pane::pane, theme::Theme},
        words,
    },
};

pub(super) fn view(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.pane == Pane::Events && state.prompt.is_none();
    let (events, messages) = (known.timeline.steps().len(), known.history.messages.len());
    let title = if area.width < 60 && messages > 0 {
        format!("Events {events}, messages {messages}")
    } else {
        "Events and messages".to_owned()
    };
    let note = if state.lanes { "messages and operators hidden (L)" } else { "" };
    let inner = pane(frame, area, theme, &title, note, focused);
    let [head, body] = inner.layout(&Layout::vertical([Length(1), Fill(1)]));
    let clock = Clock::of(known, shared, body.width);
    let local = text::fit(&format!("at ({})", shared.zone), clock.width());
    let header = format!("  v    seq      type             {local}  Δ");
    frame.render_widget(Line::styled(header, theme.header), head);
    let rows = rows(state, known);
    hits.pane(body, 0, usize::from(body.height));
    // Headings lie between the rows the cursor can be on, so the window is over the drawn lines.
    let at = rows.iter().position(|row| row.index() == Some(state.cursor.index)).unwrap_or(0);
    let height = usize::from(body.height);
    let first = state.cursor.offset.max(at.saturating_sub(height.saturating_sub(1))).min(at);
    for (line, row) in (0..body.height).zip(rows.iter().skip(first)) {
        let place = Rect { y: body.y + line, height: 1, ..body };
        let text = match row {
            Row::Event(_, point) => event_line(point, clock, state, known, shared, theme),
            Row::Message(_, message) => {
                let standing = chain_pane::standing(known, message.sequence, shared);
                message_line(message, standing, shared, theme, place.width)
            }
            Row::Missing(contract, gone) => missing_line(contract, *gone, theme),
            Row::Heading(text) => heading(text, place.width, theme),
            Row::Act(_, act) => act_line(act, clock, shared, theme),
        };
        frame.render_widget(text, place);
        if let Some(index) = row.index() {
            if index == state.cursor.index {
                let style = if focused { theme.cursor } else { theme.chosen };
                frame.buffer_mut().set_style(place, style);
            }
            hits.click(place, Msg::Clicked(index));
        }
    }
}

enum Row<'a> {
    Event(usize, &'a Point),
    Message(usize, &'a Message),
    /// The contract of a message that has no row, and whether that is known.
    Missing(&'a str, bool),
    Heading(&'static str),
    /// What an operator did after the event above.
    Act(usize, &'a Recorded),
}

impl Row<'_> {
    const fn index(&self) -> Option<usize> {
        match self {
            Self::Event(index, _) | Self::Message(index, _) | Self::Act(index, _) => Some(*index),
            Self::Missing(..) | Self::Heading(_) => None,
        }
    }
}

fn rows<'a>(state: &'a State, known: &'a OrderAnalysis) -> Vec<Row<'a>> {
    let points = known.timeline.steps();
    let messages = &known.history.messages;
    let mut out = vec![];
    if points.is_empty() {
        out.push(Row::Heading("   no events: the row is all there is"));
    }
    let mut is_loose = false;
    for (row, at) in state.rows.iter().enumerate() {
        match at {
            At::Event(index) => {
                out.extend(points.get(*index).map(|point| Row::Event(row, point)));
                let path = known.chain.paths().get(*index).filter(|_| !state.lanes);
                let missing = path.and_then(|path| chain_pane::missing(known, path));
                out.extend(missing.map(|(contract, gone)| Row::Missing(contract, gone)));
            }
            At::Message(index) => {
                let Some(message) = messages.get(*index) else { continue };
                let of_event = known.chain.of_message(message.sequence);
                if of_event.is_none_or(|path| path.version.is_none()) && !is_loose {
                    is_loose = true;
                    out.push(Row::Heading("── messages of no event here "));
                }
                out.push(Row::Message(row, message));
            }
            At::Act(index) => out.extend(state.acts().get(*index).map(|act| Row::Act(row, act))),
        }
    }
    let is_told = out.iter().any(|row| matches!(row, Row::Missing(..)));
    if messages.is_empty() && !state.lanes && !is_told {
        out.push(Row::Heading("── integration messages: none in the outbox (delivered or purged)"));
    }
    out
}

/// `◆ #838 DeleteOrder 12:44:07 lan  why`.
fn act_line(act: &Recorded, clock: Clock, shared: &Shared, theme: &Theme) -> Line<'static> {
    let local = shared.zone.show(act.at, clock.format());
    let reason = act.reason.as_deref().unwrap_or_default();
    Line::from(vec![
        Span::styled("  ◆ ", theme.accent),
        Span::styled(text::fit(&format!("#{}", act.number), 12), theme.muted),
        Span::styled(text::fit(&act.intent, 16), theme.info),
        Span::raw(format!(" {} ", text::fit(&local, clock.width()))),
        Span::raw(format!("{}  ", text::cut(&act.operator, 12))),
        Span::styled(veil(reason, !shared.masked).into_owned(), theme.muted),
    ])
}

fn heading(text: &str, width: u16, theme: &Theme) -> Line<'static> {
    let mut text = text::cut(text, usize::from(width));
    if text.ends_with(' ') {
        let rest = usize::from(width).saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('─', rest));
    }
    Line::styled(text, theme.muted)
}

/// How much of a time is told: never so much that the marks behind it are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Full,
    /// Everything happened on one day, or nearly so; the line of time above tells the day.
    Time,
    /// Days apart.
    Day,
}

impl Clock {
    /// Columns that leave room for the date as well.
    const ROOMY: u16 = 70;
    /// Columns that leave room for everything about a message.
    const WIDE: u16 = 96;

    fn of(known: &OrderAnalysis, shared: &Shared, width: u16) -> Self {
        let mut days =
            known.timeline.steps().iter().map(|point| shared.zone.local(point.event.at).date());
        let first = days.next();
        if width >= Self::ROOMY {
            Self::Full
        } else if days.all(|day| Some(day) == first) {
            Self::Time
        } else {
            Self::Day
        }
    }

    const fn format(self) -> &'static str {
        match self {
            Self::Full => "%m-%d %H:%M:%S",
            Self::Time => "%H:%M:%S",
            Self::Day => "%m-%d %H:%M",
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::Full => 14,
            Self::Time => 9,
            Self::Day => 11,
        }
    }
}

fn event_line(
    point: &Point,
    clock: Clock,
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
) -> Line<'static> {
    let event = &point.event;
    let is_cursor = matches!(state.entry(), Some(Entry::Event(at)) if at.version == point.version);
    let local = shared.zone.show(event.at, clock.format());
    let frozen = if point.frozen { "~" } else { " " };
    let doubt = point.state.uncertain.as_ref().is_some_and(|doubt| doubt.version == point.version)
        || point.meaning.body().is_none();
    let lettered = known.history.letters.iter().any(|letter| letter.event == event.seq);
    let other = event.stream.is_some_and(|stream| stream.0 != known.history.id.0);
    let version = Some(point.version);
    let pin = match () {
        () if state.pins.a == version => "A",
        () if state.pins.b == version => "B",
        () => " ",
    };
    let before = point.version.0.checked_sub(1).and_then(|v| known.timeline.step(Version(v)));
    let step = since(before, point);
    let mark = if is_cursor { ">" } else { " " };
    let style = if doubt { theme.warn } else { theme.text };
    let mut spans = vec![
        Span::styled(format!("{mark}{pin}"), theme.key),
        Span::styled(format!("{:<4} ", point.version.0), theme.accent),
        Span::styled(format!("{:<8} ", event.seq.0), theme.muted),
        Span::styled(text::fit(point.meaning.title(), 16), style),
        Span::styled(format!(" {}{frozen}", text::fit(&local, clock.width())), theme.text),
        Span::styled(text::fit(&step, 7), theme.muted),
    ];
    if doubt {
        spans.push(Span::styled("? ", theme.warn));
    }
    if lettered {
        spans.push(Span::styled("x ", theme.danger));
    }
    if event.archived {
        spans.push(Span::styled("arch ", theme.info));
    }
    if other {
        spans.push(Span::styled("other ", theme.info));
    }
    // What is no id may be anything; the raw pane shows it.
    if let Some(correlation) = event.correlation_id.as_ref().filter(|id| is_id(id)) {
        let end: String = correlation.chars().rev().take(4).collect();
        let end: String = end.chars().rev().collect();
        spans.push(Span::styled(format!("…{}", text::clean(&end)), theme.muted));
    }
    Line::from(spans)
}

/// The time since the event before: `+28m`, `-3s` where stored times run backwards, `0` at first.
fn since(before: Option<&Point>, point: &Point) -> String {
    let Some(before) = before else { return "0".to_owned() };
    let delta = point.event.at - before.event.at;
    let sign = if delta < chrono::TimeDelta::zero() { '-' } else { '+' };
    let length = if delta.abs() < chrono::TimeDelta::seconds(1) {
        format!("{}ms", delta.num_milliseconds().abs())
    } else {
        age::brief(delta)
    };
    format!("{sign}{length}")
}

/// The message that an event leads to, where the outbox has none.
fn missing_line(contract: &str, gone: bool, theme: &Theme) -> Line<'static> {
    // So that the whole reason fits beside the state pane.
    let kind = text::fit(&contract::shortest(contract), 18);
    let why = if gone { "delivered or purged" } else { "not searched" };
    Line::styled(format!("   ↳   {:<8} {kind} {why}", "-"), theme.muted)
}

fn message_line(
    message: &Message,
    standing: Option<String>,
    shared: &Shared,
    theme: &Theme,
    width: u16,
) -> Line<'static> {
    let (words, style) = words::delivery(message, shared, theme);
    let words = standing.unwrap_or(words);
    let (kind, columns) = if width >= Clock::WIDE {
        (contract::short(&message.kind).into(), 28)
    } else {
        (contract::shortest(&message.kind), 20)
    };
    let kind = text::fit(&kind, columns);
    let mut spans = vec![Span::raw(format!("   ↳   {:<8} {kind} ", message.sequence))];
    // Where the message stands matters more than when it was published.
    let format = match width {
        Clock::WIDE.. => "%m-%d %H:%M:%S ",
        Clock::ROOMY.. => "%H:%M:%S ",
        _ => "",
    };
    spans.push(Span::styled(shared.zone.show(message.published, format), theme.muted));
    let used: usize = spans.iter().map(Span::width).sum();
    let brief = words.split(',').next().unwrap_or_default().to_owned();
    let fits = used + words.width() <= usize::from(width);
    spans.push(Span::styled(if fits { words } else { brief }, style));
    if !message.names_order && width >= Clock::WIDE {
        spans.push(Span::styled(" (same conversation)", theme.muted));
    }
    Line::from(spans)
}
