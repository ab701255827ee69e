//! The lines of a plan card.

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{Card, Mark};
use crate::{domain::text, tui::ui::theme::Theme};

/// Columns of the labels.
const LABEL: usize = 10;
/// Columns for the names of tables and queues: queues seldom have short ones.
const WIDEST: usize = 34;

/// The plan in words.
pub(super) fn plan(card: &Card, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut out = vec![];
    let plain = theme.text;
    let left = match card.lock_left.as_str() {
        "" => String::new(),
        left => format!("unlock left {left}"),
    };
    let mut first = heading(theme, "", &left, width.saturating_sub(LABEL + card.command.width()));
    first.spans.insert(0, Span::styled(card.command.clone(), plain));
    first.spans.insert(0, Span::styled(format!("{:<LABEL$}", "command"), theme.muted));
    out.push(first);
    if let Some(reason) = &card.reason {
        labelled(&mut out, theme, "reason", reason, plain, width);
    }
    let target = format!("{}   you: {}", card.target, card.you);
    labelled(&mut out, theme, "target", &target, plain, width);
    let checked = format!("checked {}", card.checked);
    out.push(heading(theme, "preconditions", &checked, width));
    for (mark, check) in &card.checks {
        let (sign, style) = match mark {
            Mark::Ok => ("ok", theme.ok),
            Mark::Warn => ("warn", theme.warn),
            Mark::Block => ("BLOCK", theme.danger),
            Mark::Unknown => ("??", theme.warn),
        };
        indented(&mut out, &format!("  {sign:<6}"), style, check, plain, width);
    }
    if card.checks.is_empty() {
        out.push(Line::styled("  none", theme.muted));
    }
    out.push(heading(theme, card.would, "", width));
    let names = card.effects.iter().map(|(place, _)| place.width());
    let column = names.max().unwrap_or(0).min(WIDEST);
    for (table, change) in &card.effects {
        let head = format!("  {}  ", text::fit(table, column));
        indented(&mut out, &head, theme.accent, change, plain, width);
    }
    if card.effects.is_empty() {
        out.push(Line::styled("  nothing", theme.muted));
    }
    labelled(&mut out, theme, "undo", &card.undo, plain, width);
    labelled(&mut out, theme, "same as", &card.cli_equivalent, theme.info, width);
    out
}

/// The statements, or the messages, in full.
pub(super) fn listed(card: &Card, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut out = vec![heading(theme, &card.listing, "s or Esc: the plan", width)];
    for one in &card.listed {
        for (at, line) in one.lines().enumerate() {
            let head = if at == 0 { "  " } else { "    " };
            indented(&mut out, head, theme.text, line, theme.text, width);
        }
    }
    if card.listed.is_empty() {
        out.push(Line::styled(format!("  {}", card.unlisted), theme.muted));
    }
    out
}

fn heading(theme: &Theme, words: &str, right: &str, width: usize) -> Line<'static> {
    let gap = width.saturating_sub(words.width() + right.width());
    Line::from(vec![
        Span::styled(words.to_owned(), theme.title),
        Span::raw(" ".repeat(gap)),
        Span::styled(right.to_owned(), theme.muted),
    ])
}

fn labelled(
    out: &mut Vec<Line<'static>>,
    theme: &Theme,
    label: &str,
    value: &str,
    style: Style,
    width: usize,
) {
    indented(out, &format!("{label:<LABEL$}"), theme.muted, value, style, width);
}

/// Words after a head, going on beneath themselves.
fn indented(
    out: &mut Vec<Line<'static>>,
    head: &str,
    head_style: Style,
    words: &str,
    style: Style,
    width: usize,
) {
    let indent = head.width();
    for (at, part) in wrap(words, width.saturating_sub(indent).max(8)).into_iter().enumerate() {
        let lead = if at == 0 { head.to_owned() } else { " ".repeat(indent) };
        out.push(Line::from(vec![Span::styled(lead, head_style), Span::styled(part, style)]));
    }
}

/// Broken between words, and inside one that is longer than a line: nothing of a plan is left out.
pub(super) fn wrap(words: &str, width: usize) -> Vec<String> {
    let cleaned = text::clean(words);
    let mut out = vec![String::new()];
    for word in cleaned.split(' ') {
        let mut word = word;
        while let Some(line) = out.last_mut() {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if line.is_empty() {
                let cut = word.char_indices().map(|(at, c)| at + c.len_utf8());
                let fits = cut.take_while(|end| word[..*end].width() <= width).last();
                let end = fits.unwrap_or(word.len());
                line.push_str(&word[..end]);
                word = &word[end..];
            }
            out.push(String::new());
            if word.is_empty() {
                break;
            }
        }
    }
    while out.len() > 1 && out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_out_when_it_is_broken() {
        assert_eq!(wrap("one two", 20), ["one two"]);
        assert_eq!(wrap("one two", 5), ["one", "two"]);
        assert_eq!(wrap("abcdefghij xy", 4), ["abcd", "efgh", "ij", "xy"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("a\u{1b}[2J", 20), ["a␛[2J"]);
    }
}
