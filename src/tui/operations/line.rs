//! The line about bulk operations at the foot of every screen.

use ratatui::style::Style;

use super::{Row, State};
use crate::{
    domain::{
        batch::{Estimate, State as Stands, Wanted},
        text::{clean, thousands},
    },
    ops::operation::{Progress, Spec, batch::Record},
    tui::{shared::Shared, ui::theme::Theme, words},
};

/// What this console runs: its title, how far it is, and whether its card tells so already.
pub type Own<'a> = (&'a str, &'a Progress, bool);

/// What is told: what this console runs and does not show otherwise, else the operation that matters most, and how many
/// more there are. That they could not be read is told as such.
#[must_use]
pub fn line(
    state: &State,
    own: Option<Own<'_>>,
    shared: &Shared,
    theme: &Theme,
) -> Option<(String, Style)> {
    let number = own.and_then(|(_, progress, _)| progress.number);
    let mut rows: Vec<&Row> = state.rows().iter().filter(|row| !row.0.state.is_over()).collect();
    let known = rows.iter().find(|(record, _)| Some(record.number) == number);
    let known = known.map(|(record, _)| name(record));
    rows.retain(|(record, _)| Some(record.number) != number);
    rows.sort_by_key(|(record, _)| rank(record));
    if let Some((title, progress, false)) = own {
        let title = known.unwrap_or_else(|| title.to_owned());
        let number = number.map_or_else(String::new, |number| format!("#{number} "));
        let far = far(progress.done, progress.of, progress.estimate);
        let rest = more(rows.len());
        return Some((format!("◐ {number}{title}{far}, in this console{rest}"), theme.accent));
    }
    if let Some(error) = &state.rows.error {
        let seen = state.rows.seen_at.map_or_else(String::new, |at| {
            format!(" (last read {} ago)", words::since(at, shared))
        });
        let told = format!("? bulk operations unknown{seen}: {}", clean(&error.to_string()));
        return Some((told, theme.warn));
    }
    let (record, estimate) = rows.first()?;
    let (told, style) = told(record, *estimate, theme);
    let by = if record.held { format!("  by {}", runner(record)) } else { String::new() };
    Some((format!("{told}{}{by}", more(rows.len() - 1)), style))
}

fn more(rest: usize) -> String {
    if rest == 0 { String::new() } else { format!(" (+{rest} more)") }
}

/// As menus call it: `purge the inbox`.
pub(super) fn name(record: &Record) -> String {
    let entry = Spec::named(&record.name).and_then(|spec| spec.menu.first());
    entry.map_or_else(|| clean(&record.name).into_owned(), |entry| entry.title.to_owned())
}

/// Who runs it, or began it.
pub(super) fn runner(record: &Record) -> String {
    clean(record.runner.as_deref().unwrap_or(&record.operator)).into_owned()
}

/// What needs somebody comes after what runs, and before what somebody left.
const fn rank(record: &Record) -> u8 {
    match (record.state, record.held) {
        (Stands::Running | Stands::Freezing, true) => 0,
        (Stands::Running | Stands::Freezing, false) => 1,
        (Stands::Stopped, _) => 2,
        (Stands::Waiting, _) => 3,
        (Stands::Paused, _) => 4,
        _ => 5,
    }
}

/// `: 4,210 of 10,000, 6,000 a minute, 1m 20s left`
fn far(done: u64, of: u64, estimate: Option<Estimate>) -> String {
    if of == 0 {
        return String::new();
    }
    let pace = estimate.map_or_else(String::new, |estimate| format!(", {estimate}"));
    format!(": {} of {}{pace}", number(done), number(of))
}

pub(super) fn number(count: u64) -> String {
    thousands(i64::try_from(count).unwrap_or(i64::MAX))
}

fn told(record: &Record, estimate: Option<Estimate>, theme: &Theme) -> (String, Style) {
    let head = format!("#{} {}", record.number, name(record));
    let left = format!("{} of {} left", number(record.left()), number(record.items));
    match (record.state, record.held) {
        (Stands::Running, true) => {
            let far = far(record.counts.all(), record.items, estimate);
            let wanted = match record.wanted {
                Some(Wanted::Pause) => ", pausing",
                Some(Wanted::Cancel) => ", ending",
                None => "",
            };
            (format!("◐ {head}{far}{wanted}"), theme.accent)
        }
        (Stands::Freezing, true) => (format!("◐ {head}: its list is written"), theme.accent),
        (Stands::Running, false) => (format!("▲ {head}: interrupted, {left}"), theme.warn),
        (Stands::Freezing, false) => {
            (format!("▲ {head}: its list was never completed"), theme.warn)
        }
        (Stands::Stopped, _) => (format!("▲ {head}: stopped, {left}"), theme.warn),
        (Stands::Waiting, _) => {
            (format!("○ {head}: waits for a second person's approval, {left}"), theme.text)
        }
        (state, _) => (format!("○ {head}: {state}, {left}"), theme.text),
    }
}
