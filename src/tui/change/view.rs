//! How changing looks.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Max},
        Layout, Rect,
    },
    text::{Line, Span},
    widgets::{Clear, Paragraph, Wrap},
};

use super::{Menu, Msg, Proposal, Sheet, Stage, State, card, deeds, menu};
use crate::{
    ops::plan::{Error, Plan},
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
                let running = state.running.is_some();
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
    let refused: usize = items.iter().map(|item| why(item).len()).sum();
    let height = u16::try_from(items.len() + refused + 2).unwrap_or(16);
    let area = area.centered(Max(width), Max(height));
    frame.render_widget(Clear, area);
    let title = match (&menu.subject, &menu.matter) {
        (Some(subject), _) => format!("Change order {}", subject.order.id.short()),
        (None, Some(matter)) => format!("Change {}", deeds::title(matter)),
        (None, None) => "Change".to_owned(),
    };
    let inner = pane(frame, area, theme, &title, "a letter opens", true);
    let mut row = 0;
    for (index, item) in items.iter().enumerate() {
        if row >= inner.height {
            break;
        }
        let place = Rect { y: inner.y + row, height: 1, ..inner };
        let chosen = index == menu.cursor.index;
        let mark = if chosen { "> " } else { "  " };
        let style = match (chosen, &item.refused) {
            (true, _) => theme.cursor,
            (false, Some(_)) => theme.muted,
            (false, None) => theme.text,
        };
        let line = Line::from(vec![
            Span::raw(mark),
            Span::styled(item.key.to_string(), theme.key),
            Span::raw("  "),
            Span::styled(item.title, style),
        ]);
        clipped(frame, place, line);
        hits.click(place, Msg::Clicked(index));
        row += 1;
        for line in why(item) {
            if row < inner.height {
                let place = Rect { y: inner.y + row, height: 1, ..inner };
                clipped(frame, place, Line::styled(format!("      {line}"), theme.warn));
                row += 1;
            }
        }
    }
}

fn typing(sheet: &Sheet, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) {
    let wide = area.centered_horizontally(Max(92));
    // Two lines of words, the keys, the frame; a form that grows does not move at every key.
    let least = if sheet.kind.searches() { 20 } else { 12 };
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
        (Some(error), _) => (failed(error), theme.danger, ""),
        (None, since) => {
            let waited = since.map_or_else(String::new, |since| words::since(since, shared));
            let told = format!("Planning: the real statements run and are rolled back … {waited}");
            (told, theme.muted, "")
        }
    };
    let area = area.centered(Max(84), Max(8));
    frame.render_widget(Clear, area);
    let title = format!("PLAN  {}", menu::named(&proposal.draft.intent));
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
    running: bool,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    pane: usize,
    hits: &mut Hits<Msg>,
) {
    let card = card::card(plan, proposal, shared);
    let told;
    let footing = match (&proposal.ended, running) {
        (Some(Ok(_)), _) => return ended(plan, proposal, theme, frame, area),
        (Some(Err(error)), _) => {
            told = failed(error);
            Footing::Failed(&told)
        }
        (None, true) => Footing::Running,
        (None, false) if card.is_blocked() => {
            Footing::Not("BLOCKED: nothing can be run   y copy  s SQL  p plan again  Esc back")
        }
        (None, false) => match shared.writable() {
            Ok(()) => Footing::Ready,
            Err(_) => Footing::Not("LOCKED: w unlocks   y copy  s SQL  p plan again  Esc back"),
        },
    };
    let (body, len) = plan_card::view(&card, &proposal.card, footing, theme, frame, area);
    hits.text(body, pane, len, 0);
}

/// It was done: the version, the record, and where to look.
fn ended(plan: &Plan, proposal: &Proposal, theme: &Theme, frame: &mut Frame, area: Rect) {
    let Some(Ok(done)) = &proposal.ended else { return };
    let mut lines = vec![Line::styled(done.told.clone(), theme.ok), Line::default()];
    if done.repeated {
        lines.push(Line::styled("It had been done before: nothing was written now.", theme.warn));
    }
    if let Some(version) = done.version {
        lines.push(Line::raw(format!("version  {version}")));
    }
    lines.push(Line::raw(format!("audit    #{}   (@ shows the operations log)", done.audit)));
    let undo = if done.reverse.is_some() { "u takes it back" } else { plan.undo.as_str() };
    lines.push(Line::raw(format!("undo     {}", crate::domain::text::clean(undo))));
    let area = area.centered(Max(92), Max(10));
    frame.render_widget(Clear, area);
    let title = format!("DONE  {}", crate::domain::text::clean(&plan.title));
    let inner = pane(frame, area, theme, &title, "", true);
    let inner =
        Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

/// An error with the key that helps.
fn failed(error: &Error) -> String {
    let key = match error {
        Error::Conflict(_) | Error::Stale(_) => "; p plans it again on what is there now",
        Error::Locked => "; w unlocks",
        Error::Unresolved { .. } => "; p asks again for the same operation",
        _ => "",
    };
    let told = error.to_string();
    format!("{}{key}", crate::domain::text::clean(&told))
}
