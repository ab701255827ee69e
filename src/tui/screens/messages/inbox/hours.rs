//! A day of the inbox, hour by hour.

use std::sync::Arc;

use chrono::TimeDelta;
use ratatui::text::{Line, Span};

use super::{Context, Day, name};
use crate::{
    db,
    domain::{id::ConsumerId, text, text::thousands},
    ops::messages::list::{HOURS, Hour},
    tui::ui::{remote::Remote, theme::Theme},
};

const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// A line of shades for each consumer: an hour each, the one that runs at the right.
pub(super) fn by_hour(
    day: &Remote<Arc<Day>, db::Error>,
    cx: Context<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let Context { shared, theme, .. } = cx;
    let mut out = vec![];
    if let Some(error) = &day.error {
        let told = format!("Not refreshed: {error}");
        out.push(Line::styled(text::clean(&told).into_owned(), theme.danger));
    }
    let Some(day) = &day.value else {
        if out.is_empty() {
            out.push(Line::styled("Loading …", theme.muted));
        }
        return out;
    };
    let most = day.hours.iter().map(|hour| hour.received).max().unwrap_or(0);
    // Two columns an hour where they fit.
    let wide = if width >= 2 * usize::try_from(HOURS).unwrap_or(0) { 2 } else { 1 };
    let mut consumers: Vec<ConsumerId> = vec![];
    for hour in &day.hours {
        if !consumers.contains(&hour.consumer) {
            consumers.push(hour.consumer);
        }
    }
    for consumer in consumers {
        let own: Vec<&Hour> = day.hours.iter().filter(|hour| hour.consumer == consumer).collect();
        let sum = |of: fn(&Hour) -> i64| own.iter().map(|hour| of(hour)).sum::<i64>();
        let (received, again, open) =
            (sum(|hour| hour.received), sum(|hour| hour.again), sum(|hour| hour.open));
        out.push(Line::styled(text::cut(&name(cx, consumer), width), theme.title));
        let cells = (0..HOURS).map(|number| {
            let at = day.from + TimeDelta::hours(number);
            cell(own.iter().find(|hour| hour.at == at).copied(), most, wide, theme)
        });
        out.push(Line::from(cells.collect::<Vec<_>>()));
        let told = format!(
            "{} received, {} again, {} not done",
            thousands(received),
            thousands(again),
            thousands(open)
        );
        out.push(Line::styled(text::cut(&told, width), theme.muted));
        out.push(Line::default());
    }
    if out.is_empty() {
        let unknown = day.coverage.iter().find(|one| one.is_unknown);
        out.push(unknown.map_or_else(
            || Line::styled("nothing was received in the last 24 hours", theme.muted),
            |one| Line::styled(text::cut(&format!("Not known: {}", one.why), width), theme.warn),
        ));
        return out;
    }
    let clock = |hour: i64| shared.zone.show(day.from + TimeDelta::hours(hour), "%H:%M");
    let step = if wide == 2 { 4 } else { 8 };
    let every = usize::try_from(step).unwrap_or(4) * wide;
    let axis: String =
        (0..HOURS / step).map(|number| text::fit(&clock(number * step), every)).collect();
    out.push(Line::styled(axis, theme.muted));
    let notes = day.coverage.iter().map(|note| text::cut(&note.to_string(), width));
    out.extend(notes.map(|note| Line::styled(note, theme.warn)));
    for told in [
        format!("· none  ░▒▓█ up to {} an hour", thousands(most)),
        "+ some duplicates  ! some not done".to_owned(),
    ] {
        out.push(Line::styled(text::cut(&told, width), theme.muted));
    }
    out
}

/// What is wrong in an hour stands in it as a sign; colour only repeats it.
fn cell(hour: Option<&Hour>, most: i64, wide: usize, theme: &Theme) -> Span<'static> {
    let Some(hour) = hour else {
        return Span::styled(SHADES[0].to_string().repeat(wide), theme.muted);
    };
    let level = ((hour.received * 4 + most.max(1) - 1) / most.max(1)).clamp(1, 4);
    let shade = SHADES[usize::try_from(level).unwrap_or(1)];
    let (sign, style) = match (hour.open, hour.again) {
        (1.., _) => ('!', theme.danger),
        (_, 1..) => ('+', theme.warn),
        _ => (shade, theme.accent),
    };
    let mut told = shade.to_string().repeat(wide - 1);
    told.push(sign);
    Span::styled(told, style)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_hour_is_shaded_by_what_came_and_signed_by_what_is_wrong() {
        let hour = |received, again, open| Hour {
            consumer: ConsumerId(Uuid::nil()),
            at: DateTime::UNIX_EPOCH,
            received,
            again,
            open,
        };
        let told = |hour: Hour, wide| cell(Some(&hour), 8, wide, &Theme::MONO).content.into_owned();
        assert_eq!(told(hour(1, 0, 0), 2), "░░");
        assert_eq!(told(hour(3, 0, 0), 1), "▒");
        assert_eq!(told(hour(8, 0, 0), 2), "██");
        assert_eq!(told(hour(8, 2, 0), 2), "█+");
        assert_eq!(told(hour(8, 2, 1), 1), "!");
        assert_eq!(cell(None, 8, 2, &Theme::MONO).content, "··");
    }
}
