//! The rules that fired, in order, with the evidence of the one under the cursor.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Msg, Pane, State};
use crate::{
    domain::{
        coverage,
        diagnosis::{Finding, Severity},
    },
    ops::messages::report,
    tui::{
        ui::{
            hits::Hits,
            pane::{clipped, pane},
            theme::Theme,
        },
        words,
    },
};

pub(super) fn view(
    state: &State,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.focus.pane == Pane::Diagnosis;
    let findings = state.status().map(|status| status.findings.as_slice()).unwrap_or_default();
    let unseen = state.status().map(|status| status.coverage.as_slice()).unwrap_or_default();
    let partial = coverage::leaves_unknown(unseen);
    let mut title = "Diagnosis".to_owned();
    if !findings.is_empty() {
        title = format!("{title} ({})", findings.len());
    }
    if !unseen.is_empty() {
        title.push_str(", ~ not all was looked at");
    }
    let note = if focused { "Enter goes to the row" } else { "Tab" };
    let inner = pane(frame, area, theme, &title, note, focused);
    hits.pane(inner, 1, usize::from(inner.height));
    if state.status().is_none() {
        return;
    }
    let width = usize::from(inner.width);
    // Each has a line; what is left goes to those that need more, the first ones first.
    let mut spare = usize::from(inner.height).saturating_sub(findings.len());
    let mut lines: Vec<(Option<usize>, Line<'static>)> = vec![];
    if findings.is_empty() {
        let style = if partial { theme.warn } else { theme.ok };
        lines.push((None, Line::styled(report::no_fault(unseen), style)));
    }
    for (index, finding) in findings.iter().enumerate() {
        let chosen = index == state.finding.index;
        // What is not looked at is told in a line; the one looked at in full.
        let most = match (focused, chosen) {
            (true, true) => 6,
            (true, false) => 1,
            (false, _) => 3.min(1 + spare),
        };
        let style = severity(finding, theme);
        let told = words::wrapped(&finding.what, width.saturating_sub(4), most);
        spare = spare.saturating_sub(told.len().saturating_sub(1));
        for (row, words) in told.into_iter().enumerate() {
            let mark = if row == 0 {
                format!("{} {} ", sign(finding), index + 1)
            } else {
                "    ".to_owned()
            };
            lines.push((
                Some(index),
                Line::from(vec![Span::styled(mark, style), Span::styled(words, style)]),
            ));
        }
        if chosen && focused {
            for evidence in &finding.evidence {
                for (row, words) in
                    words::wrapped(evidence, width.saturating_sub(6), 3).into_iter().enumerate()
                {
                    let mark = if row == 0 { "    - " } else { "      " };
                    lines.push((None, Line::styled(format!("{mark}{words}"), theme.text)));
                }
            }
            for (row, words) in
                words::wrapped(&finding.next, width.saturating_sub(7), 4).into_iter().enumerate()
            {
                let mark = if row == 0 { "    => " } else { "       " };
                lines.push((None, Line::styled(format!("{mark}{words}"), theme.key)));
            }
        }
    }
    // Every judgement rests on what was looked at; who reads them sees all that was not.
    for note in unseen.iter().filter(|note| focused || note.is_unknown) {
        for (row, words) in
            words::wrapped(&note.to_string(), width.saturating_sub(4), 3).into_iter().enumerate()
        {
            let mark = if row == 0 { "~   " } else { "    " };
            lines.push((None, Line::styled(format!("{mark}{words}"), theme.warn)));
        }
    }
    let height = usize::from(inner.height);
    let at = lines.iter().position(|(index, _)| *index == Some(state.finding.index)).unwrap_or(0);
    // The chosen finding begins in sight, and as much of it as fits.
    let first = if focused { at.min(lines.len().saturating_sub(height)) } else { 0 };
    let total = lines.len();
    for (row, (index, line)) in (0..inner.height).zip(lines.into_iter().skip(first)) {
        let place = Rect { y: inner.y + row, height: 1, ..inner };
        clipped(frame, place, line);
        if let Some(index) = index {
            if index == state.finding.index && focused {
                frame.buffer_mut().set_style(place, theme.chosen);
            }
            hits.click(place, Msg::Finding(index));
        }
    }
    if total > first + height && inner.height > 0 {
        let place = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        let more = Line::styled(" … ", theme.muted).right_aligned();
        frame.render_widget(more, place);
    }
}

const fn sign(finding: &Finding) -> char {
    match finding.severity {
        Severity::Alert => '!',
        Severity::Warning => '?',
        Severity::Note => '·',
    }
}

const fn severity(finding: &Finding, theme: &Theme) -> Style {
    match finding.severity {
        Severity::Alert => theme.danger,
        Severity::Warning => theme.warn,
        Severity::Note => theme.muted,
    }
}
