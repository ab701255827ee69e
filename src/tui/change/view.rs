//! How changing looks.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Max},
        Layout, Rect,
    },
    style::Style,
    text::{Line, Span},
    widgets::{Clear, Paragraph, Wrap},
};

use super::{Menu, Msg, Proposal, Sheet, Stage, State, card, menu, running};
use crate::{
    ops::operation::{Outcome, Plan, PlanError, StepKind},
    tui::{
        shared::Shared,
        ui::{
            form,
            hits::Hits,
            pane::{clipped, pane},
            plan_card::{self, Footing},
            theme::Theme,
        },
        words,
    },
};

/// Widest a menu gets.
const WIDE: u16 = 104;
/// Widest and lowest a result gets.
const LESS: u16 = 92;
const SHORT: u16 = 10;

/// Draws what lies over the screen; `pane` is the number of its text.
pub fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    pane: usize,
) -> Hits<Msg> {
    let mut hits = Hits::default();
    match &state.stage {
        Stage::Closed => {}
        Stage::Menu(menu) => commands(menu, shared, theme, frame, area, &mut hits),
        Stage::Form(sheet) => typing(sheet, shared, theme, frame, area),
        Stage::Plan(proposal) => match &proposal.plan.value {
            Some(plan) => {
                let told =
                    running::stoppable(state).map(|running| (running.foot(), running.lines()));
                let running = match &told {
                    Some((told, lines)) => Some(Footing::Working(told, lines)),
                    None => state.running.as_ref().map(|_| Footing::Running),
                };
                plan_view(plan, proposal, running, shared, theme, frame, area, pane, &mut hits);
            }
            None => waiting(proposal, shared, theme, frame, area),
        },
    }
    hits
}

fn commands(
    menu: &Menu,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let items = menu::items(menu, shared);
    let width = area.width.min(WIDE);
    let room = usize::from(width.saturating_sub(10));
    let why = |item: &menu::Item| match &item.refused {
        Some((why, rule)) => words::wrapped(&format!("not now: {why} ({rule})"), room, 2),
        None => vec![],
    };
    let note = menu.matter.as_ref().and_then(|matter| menu::elsewhere(matter));
    let note = words::wrapped(note.unwrap_or_default(), room, 2);
    let refused: usize = items.iter().map(|item| why(item).len()).sum();
    let height = u16::try_from(items.len() + refused + note.len() + 2).unwrap_or(16);
    let area = area.centered(Max(width), Max(height));
    frame.render_widget(Clear, area);
    let title = match (&menu.subject, &menu.matter) {
        (Some(subject), _) => format!("Change order {}", subject.order.id.short()),
        (None, Some(matter)) => format!("Change {}", menu::title(matter)),
        (None, None) => "Change".to_owned(),
    };
    let inner = pane(frame, area, theme, &title, "a letter opens", true);
    let mut lines = vec![];
    for (index, item) in items.iter().enumerate() {
        let chosen = index == menu.cursor.index;
        let mark = if chosen { "> " } else { "  " };
        let style = match (chosen, &item.refused) {
            (true, _) => theme.cursor,
            (false, Some(_)) => theme.muted,
            (false, None) => theme.text,
        };
        let line = Line::from(vec![
            Span::raw(mark),
            Span::styled(item.entry.key.to_string(), theme.key),
            Span::raw("  "),
            Span::styled(item.entry.title, style),
        ]);
        lines.push((Some(index), line));
        let refused = why(item).into_iter();
        lines.extend(refused.map(|why| (None, Line::styled(format!("      {why}"), theme.warn))));
    }
    lines.extend(
        note.into_iter().map(|line| (None, Line::styled(format!("  {line}"), theme.muted))),
    );
    // The chosen one is in sight, with why it cannot be.
    let at = lines.iter().position(|(index, _)| *index == Some(menu.cursor.index)).unwrap_or(0);
    let end = at + 1 + items.get(menu.cursor.index).map_or(0, |item| why(item).len());
    let height = usize::from(inner.height);
    let first = end.saturating_sub(height);
    let more = lines.len() > first + height;
    for (row, (index, line)) in (0..inner.height).zip(lines.into_iter().skip(first)) {
        let place = Rect { y: inner.y + row, height: 1, ..inner };
        clipped(frame, place, line);
        if let Some(index) = index {
            hits.click(place, Msg::Clicked(index));
        }
    }
    if more && inner.height > 0 {
        let place = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        frame.render_widget(Line::styled(" … ", theme.muted).right_aligned(), place);
    }
}

fn typing(sheet: &Sheet, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) {
    let wide = area.centered_horizontally(Max(92));
    // Two lines of words, the keys, the frame; a form that grows does not move at every key.
    let least = if sheet.searches() { 20 } else { 12 };
    let wanted = u16::try_from(form::height(&sheet.form) + 4).unwrap_or(u16::MAX).max(least);
    let area = wide.centered_vertically(Max(wanted.min(wide.height)));
    frame.render_widget(Clear, area);
    let inner = pane(frame, area, theme, &sheet.title(), "nothing has run", true);
    let inner =
        Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
    let [above, body] = inner.layout(&Layout::vertical([Length(2), Fill(1)]));
    let told = Paragraph::new(Span::styled(sheet.words(shared), theme.muted));
    frame.render_widget(told.wrap(Wrap { trim: true }), above);
    form::view(&sheet.form, theme, frame, body);
}

/// No plan yet, or none at all.
fn waiting(proposal: &Proposal, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) {
    let (text, style, note) = match (&proposal.plan.error, proposal.plan.loading_since()) {
        (Some(error), _) => (told(error), theme.danger, ""),
        (None, since) => {
            let waited = since.map_or_else(String::new, |since| words::since(since, shared));
            let told = format!("{} {waited}", planning(proposal.draft.operation.spec().steps));
            (told, theme.muted, "")
        }
    };
    let area = area.centered(Max(84), Max(8));
    frame.render_widget(Clear, area);
    let title = format!("PLAN  {}", proposal.draft.operation.title());
    let inner = pane(frame, area, theme, &title, note, true);
    let inner =
        Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
    let text = Paragraph::new(Span::styled(text, style)).wrap(Wrap { trim: true });
    frame.render_widget(text, inner);
}

#[expect(
    clippy::too_many_arguments,
    reason = "the view of one stage; all of it is drawn from these"
)]
fn plan_view(
    plan: &Plan,
    proposal: &Proposal,
    running: Option<Footing<'_>>,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    pane: usize,
    hits: &mut Hits<Msg>,
) {
    let card = card::card(plan, proposal, shared);
    let (failed, keys);
    let footing = match (&proposal.ended, running) {
        (Some(Ok(outcome)), _) => return ended(plan, outcome, theme, frame, area),
        (Some(Err(error)), _) => {
            failed = told(error);
            Footing::Failed(&failed)
        }
        (None, Some(running)) => running,
        (None, None) => {
            let why = match shared.writable() {
                _ if card.is_blocked() => Some("BLOCKED: nothing can be run"),
                Ok(()) => None,
                Err(_) => Some("LOCKED: w unlocks"),
            };
            let lists = card.lists;
            match why {
                Some(why) => {
                    keys = format!("{why}   y copy  s {lists}  p plan again  Esc back");
                    Footing::Not(&keys)
                }
                None => Footing::Ready,
            }
        }
    };
    let (body, len) = plan_card::view(&card, &proposal.card, footing, theme, frame, area);
    hits.text(body, pane, len, 0);
}

/// What goes on while a plan is made.
const fn planning(steps: StepKind) -> &'static str {
    match steps {
        StepKind::OneTransaction => "Planning: the real statements run and are rolled back …",
        StepKind::BrokerMessages => {
            "Planning: broker and database are looked at, nothing is taken …"
        }
    }
}

/// Why not, with the key that helps.
fn told(error: &PlanError) -> String {
    let key = match error {
        PlanError::Conflict(_) | PlanError::Stale(_) => "; p plans it again on what is there now",
        PlanError::Locked => "; w unlocks",
        PlanError::Unresolved { .. } => "; p asks again for the same operation",
        _ => "",
    };
    format!("{}{key}", crate::domain::text::clean(&error.to_string()))
}

/// What came of it: the version, the record, where to look, how it is taken back.
fn ended(plan: &Plan, outcome: &Outcome, theme: &Theme, frame: &mut Frame, area: Rect) {
    let room = usize::from(area.width.min(LESS).saturating_sub(4));
    let mut lines = vec![];
    let mut say = |told: &str, style: Style| {
        lines.push(Line::styled(crate::domain::text::clean(told).into_owned(), style));
    };
    let partly = outcome.partly;
    say(&outcome.told, if partly { theme.warn } else { theme.ok });
    for line in &outcome.more {
        say(line, theme.text);
    }
    say("", theme.text);
    if outcome.repeated {
        say("It had been done before: nothing was written now.", theme.warn);
    }
    if let Some(version) = outcome.version {
        say(&format!("version  {version}"), theme.text);
    }
    if let Some(audit) = outcome.audit {
        let after = match plan.spec().steps {
            StepKind::OneTransaction => "",
            StepKind::BrokerMessages => "what it came to is recorded after it; ",
        };
        say(&format!("audit    #{audit}   ({after}@ shows the operations log)"), theme.text);
    }
    let undo = if outcome.reverse.is_some() { "u takes it back" } else { plan.undo() };
    say(&format!("undo     {undo}"), theme.text);
    // Broken between words a line may take one row more than it has columns for.
    let rows = lines.iter().map(|line| match line.width() {
        width if width <= room => 1,
        width => width.div_ceil(room.max(1)) + 1,
    });
    let height = u16::try_from(rows.sum::<usize>() + 2).unwrap_or(u16::MAX).max(SHORT);
    let area = area.centered(Max(LESS), Max(height.min(area.height)));
    frame.render_widget(Clear, area);
    let state = if partly { "ENDED" } else { "DONE" };
    let title = format!("{state}  {}", crate::domain::text::clean(&plan.title));
    let inner = pane(frame, area, theme, &title, "", true);
    let inner =
        Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}
