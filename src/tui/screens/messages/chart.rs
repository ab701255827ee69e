//! The backlog: its figures, and how it went over time as far as we looked ourselves.

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    text::{Line, Span},
};

use super::{State, Status, relay};
use crate::{
    domain::{age::Age, backlog::Sample, diagnosis::Published, text, text::thousands},
    ops::messages::{
        history::Past,
        report::{self, drained, unmeasured},
    },
    tui::{
        shared::Shared,
        ui::{
            pane::{clipped, pane},
            theme::Theme,
        },
    },
};

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Room for the figures beside the bars: `100.0k┤`.
const SCALE: u16 = 7;

/// A moment on the axis: the day too where there are several.
pub(super) fn moment(at: DateTime<Utc>, span: TimeDelta, shared: &Shared) -> String {
    let format = if span >= TimeDelta::hours(24) { "%m-%d %H:%M" } else { "%H:%M:%S" };
    shared.zone.show(at, format)
}

/// From the first look to the last.
pub(super) fn length(samples: &[Sample]) -> TimeDelta {
    let ends = samples.first().zip(samples.last());
    ends.map_or(TimeDelta::zero(), |(first, last)| last.at - first.at)
}

pub(super) fn view(state: &State, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) {
    let looks = state.looks();
    let since = looks.first().map(|first| first.at);
    let title = since.map_or_else(
        || "Backlog".to_owned(),
        |since| format!("Backlog since {}", moment(since, length(&looks), shared)),
    );
    let note =
        if area.width >= 60 && since.is_some() { kept(state, shared) } else { String::new() };
    let inner = pane(frame, area, theme, &title, &note, false);
    let mut tiles = tiles(state, shared, theme, inner.width >= 70);
    if let Some(Past::Stored(history)) = &state.kept
        && let Some(day) = &history.day
    {
        let day = report::day_told(day);
        tiles.push(Line::from(vec![Span::styled("last 24h ", theme.muted), Span::raw(day)]));
    }
    tiles.extend(relay::line(shared, theme, inner.width));
    if let Some(status) = state.status()
        && matches!(status.facts.published, Published::Took(_))
    {
        let told = report::published(status.facts.published);
        tiles.push(Line::from(vec![Span::styled("published in ", theme.muted), Span::raw(told)]));
    }
    let height = u16::try_from(tiles.len()).unwrap_or(0).min(inner.height);
    let [head, chart] = inner.layout(&Layout::vertical([Length(height), Fill(1)]));
    for (row, tile) in (0..head.height).zip(tiles) {
        clipped(frame, Rect { y: head.y + row, height: 1, ..head }, tile);
    }
    if let Some(status) = state.status() {
        bars(&looks, status, shared, theme, frame, chart);
    }
}

/// Where the history comes from.
fn kept(state: &State, shared: &Shared) -> String {
    match &state.kept {
        Some(Past::Stored(history)) => {
            let since = shared.zone.local(history.since);
            format!("stored since {}", since.format("%F"))
        }
        Some(Past::Memory(_)) | None => "since this screen opened".to_owned(),
    }
}

/// The figures, in two lines; those of the inbox only where there is room.
pub(super) fn tiles(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    roomy: bool,
) -> Vec<Line<'static>> {
    let Some(status) = state.status() else {
        return vec![match &state.look.error {
            Some(error) => Line::styled(text::clean(&error.to_string()).into_owned(), theme.danger),
            None => Line::styled("Loading …", theme.muted),
        }];
    };
    let facts = &status.facts;
    let over = facts.pending().number() > status.limit();
    let mut first = vec![
        Span::styled("pending ", theme.muted),
        Span::styled(facts.pending().to_string(), if over { theme.danger } else { theme.accent }),
    ];
    let none = if facts.pending().known().is_some() { "-" } else { "unknown" };
    let mut say = |label: &str, value: String| {
        first.push(Span::styled(format!("  {label} "), theme.muted));
        first.push(Span::raw(value));
    };
    say(
        "oldest",
        facts.oldest.map_or_else(|| none.to_owned(), |at| Age::of(at, facts.now).to_string()),
    );
    if facts.consumer.known() != Some(0) {
        say("of consumers", facts.consumer.to_string());
    }
    if roomy {
        let (exact, estimated, _) = facts.inbox.duplicates();
        say("inbox", facts.inbox.rows.to_string());
        let approximate = if estimated > 0 { "~" } else { "" };
        say(
            "duplicates",
            if facts.inbox.is_known() {
                format!("{approximate}{}", thousands(exact + estimated))
            } else {
                facts.inbox.rows.to_string()
            },
        );
    }
    let mut second = vec![];
    let rate =
        |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.1}/m"));
    match facts.movement {
        None if facts.pending().measured().is_none() => {
            second.push(Span::styled(format!("rates {}", unmeasured(facts)), theme.warn));
        }
        None => second.push(Span::styled("rates: after the second look", theme.muted)),
        Some(seen) => {
            for (label, value) in [("in", rate(seen.coming)), ("out", rate(seen.leaving))] {
                second.push(Span::styled(format!("{label} "), theme.muted));
                second.push(Span::raw(format!("{value}  ")));
            }
            second.push(Span::raw(drained(seen.drain)));
        }
    }
    if let (Some(error), Some(at)) = (&state.look.error, state.look.seen_at) {
        let age = crate::tui::words::since(at, shared);
        let told = format!("Not refreshed ({age} old): {error}");
        return vec![
            Line::from(first),
            Line::styled(text::clean(&told).into_owned(), theme.danger),
        ];
    }
    vec![Line::from(first), Line::from(second)]
}

/// One column a slice of time, its height the last backlog seen in it.
fn bars(
    samples: &[Sample],
    status: &Status,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return };
    if area.height < 3 || area.width < SCALE + 8 {
        return;
    }
    let [plot, axis] = area.layout(&Layout::vertical([Fill(1), Length(1)]));
    let width = usize::from(plot.width - SCALE);
    let columns = columns(samples, width);
    let most = samples.iter().filter_map(|sample| sample.pending).max().unwrap_or(0).max(1);
    let limit = status.limit();
    let eighths = i64::from(plot.height) * 8;
    for row in 0..plot.height {
        let place = Rect { y: plot.y + row, height: 1, ..plot };
        let floor = i64::from(plot.height - 1 - row) * 8;
        // The value at this row's top edge.
        let top = most * (floor + 8) / eighths;
        let scale = match row {
            0 => short(most),
            row if row + 1 == plot.height => "0".to_owned(),
            row if row == plot.height / 2 => short(top),
            _ => String::new(),
        };
        let bars: String = columns
            .iter()
            .map(|value| {
                let full = value.map_or(0, |value| (value * eighths + most - 1) / most - floor);
                BARS[usize::try_from(full.clamp(0, 8)).unwrap_or(0)]
            })
            .collect();
        let is_limit = limit < most && most * floor / eighths <= limit && limit < top;
        let style = if most > limit { theme.danger } else { theme.accent };
        let bars = if is_limit { bars.replace(' ', "┄") } else { bars };
        let line = Line::from(vec![
            Span::styled(format!("{scale:>6}┤"), theme.muted),
            Span::styled(bars, style),
        ]);
        frame.render_widget(line, place);
    }
    let span = last.at - first.at;
    let (from, to) = (moment(first.at, span, shared), moment(last.at, span, shared));
    let text = if span < TimeDelta::seconds(1) {
        from
    } else {
        let left = status.facts.movement.and_then(|seen| seen.last_leaving);
        let left =
            left.max(status.facts.last_delivered).filter(|at| (first.at..last.at).contains(at));
        let mark = left.map(|at| (column(at, first.at, span, width), moment(at, span, shared)));
        dated(&from, &to, width, mark)
    };
    frame.render_widget(Line::styled(format!("{:7}{text}", ""), theme.muted), axis);
}

/// Which of `width` columns a moment stands in.
fn column(at: DateTime<Utc>, from: DateTime<Utc>, span: TimeDelta, width: usize) -> usize {
    let end = i64::try_from(width).unwrap_or(1).max(1) - 1;
    let column = (at - from).num_milliseconds() * end / span.num_milliseconds().max(1);
    usize::try_from(column).unwrap_or(0)
}

/// The first and the last moment, and between them, where there is room, when something left last.
fn dated(from: &str, to: &str, width: usize, mark: Option<(usize, String)>) -> String {
    let room = width.saturating_sub(from.len() + to.len());
    let label = mark.and_then(|(column, at)| {
        let at = format!("last out {at}");
        let long = at.len() + 2;
        let free = room.checked_sub(long + 2)?;
        let column = column.checked_sub(from.len() + 1)?;
        // The sign stands below its column, the words to that side of it where they fit.
        if column <= free {
            return Some((column, format!("▲ {at}")));
        }
        let before = (column + 1).checked_sub(long).filter(|before| *before <= free)?;
        Some((before, format!("{at} ▲")))
    });
    match label {
        Some((before, label)) => {
            let gap = " ".repeat(before + 1);
            format!(
                "{from}{gap}{label}{to:>rest$}",
                rest = room + to.len() - before - 1 - label.chars().count()
            )
        }
        None => format!("{from}{to:>rest$}", rest = room + to.len()),
    }
}

/// One line of bars, for small windows.
pub(super) fn sparkline(samples: &[Sample], width: usize) -> String {
    let most = samples.iter().filter_map(|sample| sample.pending).max().unwrap_or(0).max(1);
    let bar = |value: Option<i64>| {
        let eighth = value.map_or(0, |value| ((value * 8 + most - 1) / most).max(1));
        BARS[usize::try_from(eighth.clamp(0, 8)).unwrap_or(0)]
    };
    columns(samples, width).into_iter().map(bar).collect()
}

/// The last value seen in each slice of time; a slice without a look keeps the one before.
fn columns(samples: &[Sample], width: usize) -> Vec<Option<i64>> {
    let mut out = vec![None; width];
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return out };
    let span = last.at - first.at;
    // Few looks do not fill the width: the newest stands at the right only once there is a history.
    for sample in samples {
        if let Some(slot) = out.get_mut(column(sample.at, first.at, span, width)) {
            *slot = sample.pending.or(*slot);
        }
    }
    let mut seen = None;
    for slot in &mut out {
        seen = slot.or(seen);
        *slot = seen;
    }
    out
}

/// `800`, `1.2k`, `100k`
fn short(number: i64) -> String {
    match number {
        ..1_000 => number.to_string(),
        1_000..10_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}k", number / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_delivery_stands_below_its_column_where_it_fits() {
        let axis = |column| dated("08:00", "14:00", 40, Some((column, "09:38".to_owned())));
        assert_eq!(axis(8), "08:00   ▲ last out 09:38           14:00");
        assert_eq!(axis(30), "08:00          last out 09:38 ▲    14:00");
        for column in 0..45 {
            let told = axis(column);
            assert_eq!(told.chars().count(), 40, "{told}");
            let at = told.chars().position(|c| c == '▲');
            assert!(at.is_none_or(|at| at == column), "{column} {told}");
        }
        assert_eq!(
            dated("08:00", "14:00", 20, Some((9, "09:38".to_owned()))),
            "08:00          14:00"
        );
    }
}
