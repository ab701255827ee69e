//! Going around a form, and what it tells.

use crossterm::event::KeyCode;

use super::*;
use crate::tui::ui::theme::Theme;
use ratatui::{Terminal, backend::TestBackend};

fn form() -> Form {
    Form::new(vec![
        Part::search("who", "who", "a name"),
        Part::grid("what", "what", &[("book", 20), ("count", 5)]),
        Part::told("sum", "sum"),
        Part::single("note", "note", "anything"),
    ])
}

fn press(form: &mut Form, code: KeyCode) -> Answer {
    form.key(code.into(), &Keys::default())
}

fn types(form: &mut Form, text: &str) {
    for letter in text.chars() {
        press(form, KeyCode::Char(letter));
    }
}

fn frame(form: &Form, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(form, &Theme::MONO, frame, frame.area())).unwrap();
    terminal.backend().to_string()
}

fn choice(value: &str) -> Choice {
    Choice { value: value.to_owned(), label: format!("number {value}") }
}

#[test]
fn enter_takes_what_is_offered_and_typing_on_forgets_it() {
    let mut form = form();
    types(&mut form, "le");
    form.offer("who", vec![choice("1"), choice("2")], "2 found".to_owned());
    press(&mut form, KeyCode::Down);
    press(&mut form, KeyCode::Down);
    assert_eq!(press(&mut form, KeyCode::Enter), Answer::Edited("who"));
    assert_eq!(form.picked("who"), Some(&choice("2")));
    // A late answer changes nothing that was picked.
    form.offer("who", vec![choice("3")], String::new());
    assert_eq!(form.picked("who"), Some(&choice("2")));
    press(&mut form, KeyCode::BackTab);
    assert_eq!(press(&mut form, KeyCode::Char('x')), Answer::Edited("who"));
    assert_eq!(form.picked("who"), None);
}

#[test]
fn a_table_grows_as_it_is_filled_and_a_blank_row_ends_it() {
    let mut form = form();
    press(&mut form, KeyCode::Tab);
    types(&mut form, "a");
    press(&mut form, KeyCode::Tab);
    types(&mut form, "1");
    press(&mut form, KeyCode::Enter);
    types(&mut form, "b");
    assert_eq!(form.rows("what"), [(0, vec!["a", "1"]), (1, vec!["b", ""])]);
    // An emptied row does not count; the ones after it keep their places.
    press(&mut form, KeyCode::Up);
    press(&mut form, KeyCode::Backspace);
    press(&mut form, KeyCode::Tab);
    press(&mut form, KeyCode::Backspace);
    assert_eq!(form.rows("what"), [(1, vec!["b", ""])]);
    press(&mut form, KeyCode::Down);
    press(&mut form, KeyCode::Down);
    press(&mut form, KeyCode::Enter);
    types(&mut form, "end");
    assert_eq!(form.text("note"), "end");
    assert_eq!(press(&mut form, KeyCode::Enter), Answer::Done);
    assert_eq!(press(&mut form, KeyCode::Esc), Answer::Left);
}

#[test]
fn problems_are_told_once_something_was_typed_and_all_at_the_end() {
    let problem = |place, text: &str| Problem { place, text: text.to_owned(), rule: "some-rule" };
    let mut form = form();
    form.complain(vec![
        problem(Place::Field("who"), "nobody"),
        problem(Place::Field("note"), "too long"),
    ]);
    assert!(!frame(&form, 60, 12).contains("nobody"));
    press(&mut form, KeyCode::Tab);
    let shown = frame(&form, 60, 12);
    assert!(shown.contains("! nobody  (some-rule)") && !shown.contains("too long"), "{shown}");
    assert!(!form.is_complete());
    assert!(frame(&form, 60, 12).contains("too long"));
    assert_eq!(form.at, Slot::default(), "the focus is on the first problem");
    form.complain(vec![]);
    assert!(form.is_complete());
}

#[test]
fn a_paste_is_text() {
    let mut form = form();
    press(&mut form, KeyCode::BackTab);
    assert_eq!(form.paste("two\nlines\t"), Answer::Edited("note"));
    assert_eq!(form.text("note"), "two lines ");
}

#[test]
fn the_focus_stays_in_sight_at_every_size() {
    let mut form = form();
    press(&mut form, KeyCode::Tab);
    for number in 0..30 {
        types(&mut form, &number.to_string());
        press(&mut form, KeyCode::Down);
    }
    for (width, height) in (1..50).flat_map(|width| (1..12).map(move |height| (width, height))) {
        frame(&form, width, height);
    }
    press(&mut form, KeyCode::BackTab);
    types(&mut form, "77");
    assert!(frame(&form, 60, 5).contains("[77"));
}
