//! How a form looks.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Form, Grid, Part, Place, Slot};
use crate::{
    domain::text,
    tui::ui::{field::Field, pane::clipped, theme::Theme},
};

/// Columns of the labels.
const LABEL: u16 = 10;
/// The most choices shown at a time.
const CHOICES: usize = 6;

/// One row to be drawn.
enum Row<'a> {
    Input { label: &'a str, hint: &'a str, field: &'a Field, slot: Slot },
    Cells { number: usize, grid: &'a Grid, part: usize },
    Plain(Line<'static>),
}

/// How many rows it takes now, with all that is told beneath its fields.
pub fn height(form: &Form) -> usize {
    rows(form, &Theme::MONO).0.len()
}

/// Draws it, scrolled so that the focus is in sight.
pub fn view(form: &Form, theme: &Theme, frame: &mut Frame, area: Rect) {
    let (rows, focus) = rows(form, theme);
    let height = usize::from(area.height);
    // What is beneath the focus (its problem, what is found for it) is wanted in sight as well.
    let below = (focus + 1 + CHOICES).min(rows.len()).saturating_sub(height);
    let first = below.min(focus);
    for (line, row) in (0..area.height).zip(rows.iter().skip(first)) {
        let place = Rect { y: area.y + line, height: 1, ..area };
        match row {
            Row::Input { label, hint, field, slot } => {
                let focused = (form.at == *slot).then_some(theme.cursor);
                frame.render_widget(Span::styled(*label, theme.muted), place);
                let room = Rect {
                    x: place.x + LABEL.min(place.width),
                    width: place.width.saturating_sub(LABEL),
                    ..place
                };
                input(theme, frame, room, field, hint, focused);
            }
            Row::Cells { number, grid, part } => {
                cells(form, theme, frame, place, *number, grid, *part);
            }
            Row::Plain(line) => clipped(frame, place, line.clone()),
        }
    }
}

/// `[ text ]`, with the cursor in it where the focus is.
pub(in crate::tui::ui) fn input(
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    field: &Field,
    hint: &str,
    cursor: Option<Style>,
) {
    if area.width < 3 || area.height == 0 {
        return;
    }
    let edge = if cursor.is_some() { theme.focus } else { theme.muted };
    frame.render_widget(Span::styled("[", edge), Rect { width: 1, ..area });
    frame.render_widget(Span::styled("]", edge), Rect { x: area.right() - 1, width: 1, ..area });
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    if field.text().is_empty() && cursor.is_none() {
        let hint = text::cut(hint, usize::from(inner.width));
        frame.render_widget(Span::styled(hint, theme.muted), inner);
        return;
    }
    field.draw(frame, inner, theme.text, cursor);
    if field.text().is_empty() && inner.width > 2 {
        let after = Rect { x: inner.x + 2, width: inner.width - 2, ..inner };
        let hint = text::cut(hint, usize::from(after.width));
        frame.render_widget(Span::styled(hint, theme.muted), after);
    }
}

fn cells(
    form: &Form,
    theme: &Theme,
    frame: &mut Frame,
    place: Rect,
    number: usize,
    grid: &Grid,
    part: usize,
) {
    let label = Span::styled(format!("{:>8}", number + 1), theme.muted);
    frame.render_widget(label, place);
    let Some(fields) = grid.rows.get(number) else { return };
    for (column, (field, room)) in fields.iter().zip(columns(grid, place)).enumerate() {
        let slot = Slot { part, row: number, column };
        let focused = (form.at == slot).then_some(theme.cursor);
        input(theme, frame, room, field, "", focused);
    }
}

/// Where each column is: fixed widths at the right, the first takes the rest.
fn columns(grid: &Grid, place: Rect) -> Vec<Rect> {
    let fixed: u16 = grid.columns.iter().skip(1).map(|(_, width)| width + 1).sum();
    let room = place.width.saturating_sub(LABEL);
    let mut x = place.x + LABEL.min(place.width);
    let mut out = vec![];
    for (at, (_, width)) in grid.columns.iter().enumerate() {
        let width = if at == 0 { room.saturating_sub(fixed).min(*width) } else { *width };
        let width = width.min(place.right().saturating_sub(x));
        out.push(Rect { x, width, ..place });
        x = (x + width + 1).min(place.right());
    }
    out
}

/// Every row, and which of them has the focus.
fn rows<'a>(form: &'a Form, theme: &Theme) -> (Vec<Row<'a>>, usize) {
    let (mut out, mut focus) = (vec![], 0);
    for (part, what) in form.parts.iter().enumerate() {
        let slot = Slot { part, row: 0, column: 0 };
        if form.at.part == part && !matches!(what, Part::Grid(_)) {
            focus = out.len();
        }
        match what {
            Part::Told { label, text, .. } => {
                let label = format!("{label:<width$}", width = usize::from(LABEL));
                out.push(Row::Plain(Line::from(vec![
                    Span::styled(label, theme.muted),
                    Span::styled(text.clone(), theme.text),
                ])));
            }
            Part::Single(single) => {
                let (label, hint, field) = (single.label, single.hint, &single.field);
                out.push(Row::Input { label, hint, field, slot });
                problems(form, theme, Place::Field(single.name), single.touched, &mut out);
            }
            Part::Pick(pick) => {
                let (label, hint, field) = (pick.label, pick.hint, &pick.field);
                out.push(Row::Input { label, hint, field, slot });
                choices(pick, form.at.part == part, theme, &mut out);
                let told = pick.touched && form.at.part != part;
                problems(form, theme, Place::Field(pick.name), told, &mut out);
            }
            Part::Grid(grid) => {
                if let Some(row) = table(form, part, grid, theme, &mut out) {
                    focus = row;
                }
            }
        }
    }
    (out, focus)
}

fn choices(pick: &super::Pick, focused: bool, theme: &Theme, out: &mut Vec<Row<'_>>) {
    let indent = " ".repeat(usize::from(LABEL) + 1);
    if focused && pick.chosen.is_none() {
        let first = (pick.cursor + 1).saturating_sub(CHOICES);
        let shown = pick.found.iter().enumerate().skip(first).take(CHOICES);
        out.extend(shown.map(|(at, choice)| {
            let (mark, style) =
                if at == pick.cursor { ("> ", theme.cursor) } else { ("  ", theme.text) };
            Row::Plain(Line::from(vec![
                Span::raw(indent.clone()),
                Span::styled(format!("{mark}{}", choice.label), style),
            ]))
        }));
    }
    if !pick.note.is_empty() && pick.chosen.is_none() {
        out.push(Row::Plain(Line::styled(format!("{indent}{}", pick.note), theme.muted)));
    }
}

/// The rows of a table; yields which of them has the focus.
fn table<'a>(
    form: &Form,
    part: usize,
    grid: &'a Grid,
    theme: &Theme,
    out: &mut Vec<Row<'a>>,
) -> Option<usize> {
    let mut head = format!("{:<width$}", grid.label, width = usize::from(LABEL));
    for (at, (title, width)) in grid.columns.iter().enumerate() {
        if at > 0 {
            head.push(' ');
        }
        head.push_str(&text::fit(&format!(" {title}"), usize::from(*width)));
    }
    out.push(Row::Plain(Line::styled(head.trim_end().to_owned(), theme.muted)));
    let mut focus = None;
    for number in 0..grid.rows.len() {
        if form.at.part == part && form.at.row == number {
            focus = Some(out.len());
        }
        out.push(Row::Cells { number, grid, part });
        for column in 0..grid.columns.len() {
            let touched = grid.touched.contains(&(number, column));
            problems(form, theme, Place::Cell(grid.name, number, column), touched, out);
        }
    }
    let touched = !grid.touched.is_empty();
    problems(form, theme, Place::Field(grid.name), touched, out);
    focus
}

/// What is wrong with a place, each with the name of its rule.
fn problems(form: &Form, theme: &Theme, place: Place, touched: bool, out: &mut Vec<Row<'_>>) {
    if !touched && !form.complete {
        return;
    }
    let indent = " ".repeat(usize::from(LABEL) + 1);
    let here = form.problems.iter().filter(|problem| problem.place == place);
    out.extend(here.map(|problem| {
        Row::Plain(Line::from(vec![
            Span::raw(indent.clone()),
            Span::styled(format!("! {}", text::clean(&problem.text)), theme.danger),
            Span::styled(format!("  ({})", problem.rule), theme.muted),
        ]))
    }));
}
