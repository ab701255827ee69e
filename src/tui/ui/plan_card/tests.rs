//! The card's keys and its look.

use ratatui::{Terminal, backend::TestBackend};

use super::*;

fn card() -> Card {
    Card {
        title: "cancel order …8c41".to_owned(),
        command: "CancelOrder".to_owned(),
        reason: Some("CB-91 customer asked before completion".to_owned()),
        target: "PROD ordering@pg-ea-1".to_owned(),
        you: "mai@desk-4 (support)".to_owned(),
        lock_left: "9:41".to_owned(),
        checked: "0s ago".to_owned(),
        checks: vec![
            (Mark::Ok, "status is New: row, events and view agree".to_owned()),
            (Mark::Ok, "stream version is 1; will append v2; fails if it moved".to_owned()),
            (Mark::Unknown, "inbox: table inbox_state cannot be read".to_owned()),
            (Mark::Warn, "outbox stalled: the notice will queue, not leave".to_owned()),
        ],
        effects: vec![
            ("orders".to_owned(), "status New → Cancelled, last_modified_at".to_owned()),
            (
                "mt_events".to_owned(),
                "+ OrderCancelled v2 (headers: user, reason, op id)".to_owned(),
            ),
            ("mt_streams".to_owned(), "version 1 → 2".to_owned()),
            ("mt_doc_ordersummaryview".to_owned(), "status New → Cancelled".to_owned()),
            ("outbox_message".to_owned(), "+ OrderStatusChangedToCancel".to_owned()),
        ],
        undo: "none once sent; place the order again".to_owned(),
        cli_equivalent:
            "orderscope order cancel 019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41 --expect-version 1 \
               --reason 'CB-91 customer asked before completion' --yes"
                .to_owned(),
        word: "CANCEL".to_owned(),
        would: "would write, in one transaction",
        lists: "SQL",
        listing: "statements, in this order".to_owned(),
        unlisted: "none",
        listed: vec!["UPDATE orders SET status = 1\nWHERE id = $1 AND status = 0".to_owned()],
    }
}

fn frame(card: &Card, state: &State, footing: Footing<'_>, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            view(card, state, footing, &Theme::MONO, frame, frame.area());
        })
        .unwrap();
    terminal.backend().to_string()
}

fn press(state: &mut State, code: KeyCode) -> Answer {
    state.key(KeyEvent::new(code, KeyModifiers::NONE), Some("CANCEL"))
}

fn types(state: &mut State, text: &str) {
    for letter in text.chars() {
        press(state, KeyCode::Char(letter));
    }
}

#[test]
fn only_the_word_runs_it() {
    let mut state = State::default();
    assert_eq!(press(&mut state, KeyCode::Enter), Answer::Stays);
    types(&mut state, "cancel");
    assert_eq!(press(&mut state, KeyCode::Enter), Answer::Stays);
    assert!(frame(&card(), &state, Footing::Ready, 80, 20).contains("that is not the word"));
    state.clear();
    types(&mut state, "CANCEL");
    assert_eq!(press(&mut state, KeyCode::Enter), Answer::Run);
    // Not where nothing can be run, whatever was typed before.
    assert_eq!(state.key(KeyCode::Enter.into(), None), Answer::Stays);
    state.clear();
    state.paste("CANCEL\r");
    assert_eq!(press(&mut state, KeyCode::Enter), Answer::Run);
}

#[test]
fn letters_mean_something_until_a_word_is_begun() {
    let mut state = State::default();
    assert_eq!(press(&mut state, KeyCode::Char('y')), Answer::Copy);
    press(&mut state, KeyCode::Char('s'));
    assert!(frame(&card(), &state, Footing::Ready, 80, 20).contains("UPDATE orders"));
    assert_eq!(press(&mut state, KeyCode::Esc), Answer::Stays);
    assert!(frame(&card(), &state, Footing::Ready, 80, 20).contains("preconditions"));
    assert_eq!(press(&mut state, KeyCode::Char('p')), Answer::Other('p'));
    types(&mut state, "Cyspw");
    assert_eq!(state.field.text(), "Cyspw");
    assert_eq!(press(&mut state, KeyCode::Esc), Answer::Left);
}

#[test]
fn the_card_looks_as_it_should() {
    let state = State::default();
    for (width, height) in [(80, 20), (120, 32)] {
        insta::assert_snapshot!(
            format!("card_{width}x{height}"),
            frame(&card(), &state, Footing::Ready, width, height)
        );
    }
    let blocked = Card {
        checks: vec![(Mark::Block, "only a New order completes or cancels".to_owned())],
        effects: vec![],
        ..card()
    };
    assert!(blocked.is_blocked() && !card().is_blocked());
    let why = "blocked: nothing can be run; Esc goes back";
    insta::assert_snapshot!("blocked_80x20", frame(&blocked, &state, Footing::Not(why), 80, 20));
    insta::assert_snapshot!("running_80x20", frame(&card(), &state, Footing::Running, 80, 20));
}

#[test]
fn a_card_fits_every_window_and_tells_what_is_out_of_sight() {
    let mut state = State::default();
    for (width, height) in (1..60).flat_map(|width| (1..12).map(move |height| (width, height))) {
        frame(&card(), &state, Footing::Ready, width, height);
    }
    assert!(frame(&card(), &state, Footing::Ready, 80, 12).contains("more lines below"));
    state.scroll(1_000);
    assert!(frame(&card(), &state, Footing::Ready, 80, 12).contains("the end"));
}
