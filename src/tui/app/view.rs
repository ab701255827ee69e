//! The frame around every screen: header, tabs, trail, footer, and what lies over them.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};
use unicode_width::UnicodeWidthStr;

use super::{App, Modal, Msg, OVER, help, palette, text};
use crate::{
    domain::text::cut,
    tui::{
        change, journal, operations,
        shared::Link,
        ui::{
            action::shown,
            ask, field,
            hits::Hits,
            pane::{clipped, key_hints},
            theme::Theme,
        },
        words,
    },
};

/// Below this a plain sentence is all that helps.
const SMALLEST: (u16, u16) = (60, 15);
/// Below this width the header and the tabs use their short form.
const NARROW: u16 = 100;

/// Draws everything; a pure function of the state.
#[must_use]
pub fn view(app: &App, frame: &mut Frame) -> Hits<Msg> {
    let area = frame.area();
    // What is pressed now may write: every frame says so.
    let alarmed = app.theme.alarmed();
    let theme = if app.shared.writable().is_ok() { &alarmed } else { &app.theme };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(app, frame, area);
        return Hits::default();
    }
    let told = told_of_operations(app, theme);
    let lines = u16::from(told.is_some());
    let [head, tabs, body, trail, line, foot] = area.layout(&Layout::vertical([
        Length(1),
        Length(1),
        Fill(1),
        Length(1),
        Length(lines),
        Length(1),
    ]));
    frame.render_widget(header(app, theme, head.width), head);
    let mut hits = draw_tabs(app, theme, frame, tabs);
    hits.above(app.screens.view(&app.shared, theme, frame, body).map(Msg::Screen));
    frame.render_widget(trail_line(app, theme, trail.width), trail);
    if let Some((told, style)) = told {
        clipped(frame, line, Line::styled(format!(" {told}"), style));
    }
    frame.render_widget(footer(app, theme, foot.width), foot);
    if app.operations.is_listed() {
        dim(frame, body);
        hits.clear_areas();
        let over = operations::view(&app.operations, &app.shared, theme, frame, body, OVER);
        hits.above(over.map(Msg::Operations));
    }
    if app.change.is_open() {
        dim(frame, body);
        hits.clear_areas();
        let over = change::view(&app.change, &app.shared, theme, frame, body, OVER);
        hits.above(over.map(Msg::Change));
    }
    if let Some(modal) = &app.modal {
        dim(frame, body);
        hits.clear_areas();
        match modal {
            Modal::Help(state) => {
                let lines = help::lines(app, theme);
                text::view(
                    frame,
                    body,
                    (theme, &app.shared.keys),
                    "Help",
                    &lines,
                    *state,
                    &mut hits,
                );
            }
            Modal::Palette(state) => palette::view(app, state, theme, frame, body),
            Modal::Text { title, lines, state } => {
                let lines = text::wrapped(lines, body.width);
                text::view(
                    frame,
                    body,
                    (theme, &app.shared.keys),
                    title,
                    &lines,
                    *state,
                    &mut hits,
                );
            }
            Modal::Log(state) => {
                journal::view(state, &app.shared, theme, frame, body, OVER, &mut hits);
            }
            Modal::Ask(_, state) => ask::view(state, theme, frame, body),
        }
    }
    hits
}

/// What runs or waits, and what becomes of it when the console is left now.
fn told_of_operations(app: &App, theme: &Theme) -> Option<(String, Style)> {
    match app.change.leaving().filter(|_| app.quitting) {
        Some(told) => Some((told, theme.danger)),
        None => operations::line(&app.operations, app.change.at_work(), &app.shared, theme),
    }
}

fn too_small(app: &App, frame: &mut Frame, area: Rect) {
    let text = format!(
        "The window is {}x{}; the console needs {}x{}. The same without a screen: {}",
        area.width,
        area.height,
        SMALLEST.0,
        SMALLEST.1,
        app.screens.cli_equivalent(app.screens.shown())
    );
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
}

/// Environment, database, role, lock state, masking, zone and the age of the data, always; and that the audit log is
/// not as it was. Where room is short, the database's long name gives way; the lock and the mask never do.
fn header(app: &App, theme: &Theme, width: u16) -> Line<'static> {
    let shared = &app.shared;
    let narrow = width < NARROW;
    let seen = app.screens.seen_at();
    let age = seen.map_or_else(String::new, |at| format!(" ({} ago)", words::since(at, shared)));
    let frozen = if shared.frozen { " FROZEN" } else { "" };
    let clock = shared.zone.show(shared.now.utc, "%H:%M:%S");
    let zone = if narrow { "" } else { "TZ " };
    let pause =
        shared.pause.map_or_else(String::new, |wait| format!(" RETRY {}s", wait.as_secs() + 1));
    let right = format!("{zone}{}  {clock}{age}{frozen}{pause} ", shared.zone);
    let now = shared.now.instant;
    let masked = match (&shared.revealed, narrow) {
        (Some(timed), true) => format!("PII-SHOWN {}", timed.clock(now)),
        (Some(timed), false) => format!("PII SHOWN {}", timed.clock(now)),
        (None, true) if shared.masked => "PII-masked".to_owned(),
        (None, false) if shared.masked => "PII masked".to_owned(),
        (None, _) => "PII SHOWN".to_owned(),
    };
    let lock = match (&shared.unlocked, narrow) {
        (Some(timed), _) => format!(" UNLOCKED {} ", timed.clock(now)),
        (None, _) if shared.policy.read_only => " READ-ONLY ".to_owned(),
        (None, true) => " LOCKED ".to_owned(),
        (None, false) => "  LOCKED read-only  ".to_owned(),
    };
    let lock_style = if shared.unlocked.is_some() { theme.production } else { theme.ok };
    let audit = match (&shared.audit_broken, narrow) {
        (None, _) => "",
        (Some(_), true) => " AUDIT! ",
        (Some(_), false) => " AUDIT BROKEN (!) ",
    };
    let brand = if narrow { " OPS " } else { " ORDERSCOPE  " };
    let (name, name_style, place) = match &shared.link {
        Link::Up(place) => {
            let style = if place.production { theme.production } else { theme.accent };
            let kind = if place.attached { "attached  " } else { "" };
            let standby =
                place.standby.as_ref().map_or_else(String::new, |told| format!(" {told} "));
            let (database, host, role) = (&place.database, &place.host, &place.role);
            let told = format!("{standby} {database}@{host}  {kind}role={role}");
            (format!("[{}]", place.context.to_uppercase()), style, told)
        }
        Link::Connecting { doing } => (doing.clone(), theme.warn, String::new()),
    };
    let name = cut(&name, usize::from(width / 3));
    let fixed = [brand, &name, audit, &lock, &masked, &right]
        .iter()
        .map(|text| text.width())
        .sum::<usize>();
    let room = usize::from(width).saturating_sub(fixed + 1);
    let room = room.saturating_sub(usize::from(shared.unlocked.is_some()));
    let place = if narrow { String::new() } else { cut(&place, room) };
    let spans = vec![
        Span::styled(brand, theme.header),
        Span::styled(name, name_style),
        Span::styled(place, theme.text),
        Span::styled(audit, theme.danger),
        Span::styled(lock, lock_style),
        Span::raw(if shared.unlocked.is_some() { " " } else { "" }),
        Span::styled(masked, if shared.masked { theme.ok } else { theme.danger }),
    ];
    fill(spans, Span::styled(right, theme.header), width)
}

fn draw_tabs(app: &App, theme: &Theme, frame: &mut Frame, area: Rect) -> Hits<Msg> {
    let mut hits = Hits::default();
    let mut x = area.x + 1;
    for spec in app.screens.specs() {
        let id = spec.id;
        let badge = app.screens.badge(id, &app.shared);
        let badge = badge.map_or_else(String::new, |badge| format!("{badge} "));
        let text = format!(" {} {} {badge}", spec.number(&app.shared.keys), spec.title);
        let width =
            u16::try_from(text.width()).unwrap_or(u16::MAX).min(area.right() - x.min(area.right()));
        let place = Rect { x, width, height: 1, ..area };
        let style = if app.screens.shown() == id { theme.cursor } else { theme.muted };
        frame.render_widget(Span::styled(text, style), place);
        hits.click(place, Msg::Show(id));
        x = x.saturating_add(width + 1);
    }
    let note = gaps_note(app);
    let room = area.right().saturating_sub(x);
    let width = u16::try_from(note.width()).unwrap_or(u16::MAX);
    if !note.is_empty() && width < room {
        let place = Rect { x: area.right() - width - 1, width, height: 1, ..area };
        frame.render_widget(Span::styled(note, theme.warn), place);
        hits.click(place, Msg::Gaps);
    }
    hits
}

/// One line that says what is missing here; `!` tells the rest.
fn gaps_note(app: &App) -> String {
    match app.shared.place() {
        Some(place) if !place.gaps.is_empty() => {
            let kind = if place.attached { "attached, " } else { "" };
            format!("{kind}{} limits here (!)", place.gaps.len())
        }
        _ => String::new(),
    }
}

fn trail_line(app: &App, theme: &Theme, width: u16) -> Line<'static> {
    let pending: String = app.pressed.iter().map(|_| "·").collect();
    let right = match &app.note {
        Some(note) => {
            let style = if note.bad { theme.danger } else { theme.info };
            Span::styled(format!("{} ", cut(&note.text, usize::from(width) * 3 / 4)), style)
        }
        None => Span::styled(format!("{pending} "), theme.key),
    };
    let crumb = format!(" {}", app.screens.crumb(&app.shared));
    let room = usize::from(width).saturating_sub(right.width() + 1);
    fill(vec![Span::styled(cut(&crumb, room), theme.muted)], right, width)
}

fn footer(app: &App, theme: &Theme, width: u16) -> Line<'static> {
    let keys = &app.shared.keys;
    let typing = app.modal.is_none() && app.screens.is_typing();
    let over = match &app.modal {
        Some(Modal::Log(state)) => keys.hints(journal::ACTIONS, state),
        Some(Modal::Ask(_, state)) => keys.hints(ask::ACTIONS, state),
        Some(Modal::Palette(state)) => keys.hints(palette::ACTIONS, state),
        Some(Modal::Help(state) | Modal::Text { state, .. }) => keys.hints(text::ACTIONS, state),
        None if app.change.is_open() => app.change.hints(keys),
        None if app.operations.is_listed() => keys.hints(operations::ACTIONS, &app.operations),
        None if typing => {
            let own = keys.hints(app.screens.typing(app.screens.shown()), &());
            keys.hints(field::ACTIONS, &()).into_iter().chain(own).collect()
        }
        None => vec![],
    };
    if !over.is_empty() {
        return key_hints(theme, width, &over);
    }
    let mut infos: Vec<_> =
        app.own_infos().into_iter().chain(app.global_infos()).filter(|i| i.footer > 0).collect();
    infos.retain(|info| info.enabled.is_ok());
    infos.sort_by_key(|info| std::cmp::Reverse(info.footer));
    let hints: Vec<_> = infos
        .iter()
        .filter_map(|info| Some((shown(info.keys.first()?), info.title.to_owned())))
        .collect();
    key_hints(theme, width, &hints)
}

/// Left and right parts with the gap between; the right part wins when there is no room for both.
fn fill(mut left: Vec<Span<'static>>, right: Span<'static>, width: u16) -> Line<'static> {
    let width = usize::from(width);
    let wanted = width.saturating_sub(right.width());
    let mut used: usize = left.iter().map(Span::width).sum();
    while used > wanted.saturating_sub(1) && left.len() > 1 {
        let Some(last) = left.last_mut() else { break };
        let over = used - wanted.saturating_sub(1);
        let keep = last.width().saturating_sub(over);
        used -= last.width();
        if keep < 4 {
            left.pop();
            continue;
        }
        last.content = cut(&last.content, keep).into();
        used += last.width();
        break;
    }
    left.push(Span::raw(" ".repeat(wanted.saturating_sub(used))));
    left.push(right);
    Line::from(left)
}

/// Takes the weight off what lies behind a modal.
fn dim(frame: &mut Frame, area: Rect) {
    let area = area.intersection(frame.area());
    let buffer = frame.buffer_mut();
    for position in area.positions() {
        if let Some(cell) = buffer.cell_mut(position) {
            cell.modifier.insert(Modifier::DIM);
            cell.modifier.remove(Modifier::REVERSED.union(Modifier::BOLD));
        }
    }
}
