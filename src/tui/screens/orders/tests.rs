//! The search: what keys and answers do, and how it looks.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};

use super::{Count, Msg, PAGE, Request, Start, State, Window};
use crate::{
    domain::{search, zone::Clock},
    tui::{
        app,
        effect::Effect,
        route::Route,
        screens::{self, Input, Screen as _, listing::Listing as _},
        shared::Keep,
        tests::{Desk, Effects, attached, copied, frames, place, runs, samples},
        ui::remote::Ticket,
    },
};

fn state(desk: &Desk) -> &State {
    desk.state()
}

fn selected(desk: &Desk) -> String {
    state(desk).selected().map(|row| row.id.short()).unwrap_or_default()
}

/// The searches among what was asked for.
fn searches(effects: &Effects) -> Vec<(Ticket, search::Query, Start, bool)> {
    let search = |(_, request): (_, &app::Request)| match request {
        app::Request::Screen(request) => match request.of::<State>()? {
            Request::Search { ticket, query, from, typed } => {
                Some((*ticket, query.clone(), *from, *typed))
            }
            _ => None,
        },
        _ => None,
    };
    runs(effects).into_iter().filter_map(search).collect()
}

fn meant(text: &str) -> search::Query {
    let desk = Desk::new(80, 24);
    let clock = Clock { now: desk.app.shared.now.utc, zone: desk.app.shared.zone };
    search::parse(text, &clock).unwrap()
}

fn fails(desk: &mut Desk) {
    let ticket = desk.searched();
    desk.orders(Msg::Found(ticket, Err(samples::lost())));
}

/// Answers the newest search with part of a long list.
fn page(desk: &mut Desk, numbers: std::ops::Range<u32>) {
    let ticket = desk.searched();
    let rows = samples::many(numbers.clone());
    let (first, last) = (super::key(&rows[0]), super::key(&rows[rows.len() - 1]));
    let before = (numbers.start > 0).then_some(first);
    let after = (numbers.end < 1000).then_some(last);
    desk.orders(Msg::Found(ticket, Ok((Window { rows, before, after }, samples::answer()))));
}

#[test]
fn typing_searches_at_once_and_a_malformed_query_keeps_the_rows() {
    let mut desk = Desk::listing(120, 36);
    desk.effects();
    desk.press("/");
    desk.types("status:new");
    let asked = searches(&desk.effects());
    let (_, query, from, typed) = asked.last().unwrap();
    assert_eq!((query, *from, *typed), (&meant("status:new"), Start::Newest, true));
    let before = state(&desk).rows.rows.clone();
    desk.types(" total:>much");
    assert!(searches(&desk.effects()).iter().all(|asked| asked.1 != meant("")));
    let error = state(&desk).error.clone().unwrap();
    assert!(samples::is_at(&error, "status:new total:>much", "much"), "{error:?}");
    assert_eq!(state(&desk).rows.rows, before);
    // Enter does not leave a query that means nothing.
    desk.press("enter");
    assert!(state(&desk).is_typing());
    assert_eq!(searches(&desk.effects()), []);
    desk.press("ctrl-u");
    assert_eq!(state(&desk).error, None);
    assert_eq!(searches(&desk.effects()).len(), 1);
}

#[test]
fn keys_are_letters_while_typing() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    desk.types("q?:-");
    assert!(!desk.app.quit);
    assert_eq!(state(&desk).field.text(), "q?:-");
    desk.press("esc");
    assert!(!state(&desk).is_typing());
    assert_eq!(state(&desk).field.text(), "q?:-");
}

#[test]
fn a_late_answer_is_dropped() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/ l");
    let late = desk.searched();
    desk.press("e");
    desk.list(samples::rows()[3..5].to_vec());
    let window = Window { rows: samples::rows(), before: None, after: None };
    desk.orders(Msg::Found(late, Ok((window, samples::answer()))));
    assert_eq!(state(&desk).rows.rows.len(), 2);
}

#[test]
fn an_error_keeps_the_rows_and_is_told_with_their_age() {
    let mut desk = Desk::listing(120, 36);
    desk.wait(Duration::from_secs(90));
    fails(&mut desk);
    assert_eq!(state(&desk).rows.rows, samples::rows());
    assert!(desk.shows("Not refreshed (rows are 1m 30s old): cannot reach PostgreSQL"));
    desk.press("r");
    desk.list(samples::rows());
    assert!(!desk.shows("Not refreshed"));
}

#[test]
fn the_cursor_follows_its_order_through_a_refresh() {
    let mut desk = Desk::listing(120, 36);
    desk.press("j j j");
    assert_eq!(selected(&desk), "…8c41");
    desk.press("r");
    let mut rows = samples::many(0..2);
    rows.extend(samples::rows());
    desk.list(rows);
    assert_eq!((selected(&desk).as_str(), state(&desk).list.cursor.index), ("…8c41", 5));
    // An order that is gone leaves the cursor at the top.
    desk.press("r");
    desk.list(samples::rows()[..2].to_vec());
    assert_eq!(selected(&desk), "…0b19");
}

#[test]
fn the_cursor_follows_its_order_among_faults_too() {
    let mut desk = Desk::listing(120, 36);
    desk.press("Z j j");
    assert_eq!(selected(&desk), "…5508");
    desk.press("r");
    desk.list(samples::rows());
    assert_eq!(selected(&desk), "…5508");
    desk.press("Z");
    assert_eq!(state(&desk).len(), 10);
}

#[test]
fn pages_come_at_both_ends_and_the_window_stays_bounded() {
    let mut desk = Desk::new(120, 36).at(place());
    page(&mut desk, 0..100);
    let mut loaded = 100;
    while loaded < 1000 {
        desk.press("ctrl-d");
        let asked = searches(&desk.asked);
        let Some((_, _, from, _)) = asked.last() else { continue };
        assert!(matches!(from, Start::OlderThan(_)), "{from:?}");
        let chosen = selected(&desk);
        page(&mut desk, loaded..loaded + 100);
        assert_eq!(selected(&desk), chosen, "a page that comes moves no cursor");
        assert!(state(&desk).rows.rows.len() <= 3 * PAGE);
        loaded += 100;
    }
    desk.press("G");
    assert_eq!(
        state(&desk).selected().map(|row| row.id),
        samples::many(999..1000).first().map(|r| r.id)
    );
    while state(&desk).rows.before.is_some() {
        desk.press("ctrl-u");
        let asked = searches(&desk.asked);
        let Some((_, _, Start::NewerThan(key), _)) = asked.last() else { continue };
        let minutes = samples::many(0..1)[0].placed - key.placed;
        let first = u32::try_from(minutes.num_minutes()).unwrap();
        let chosen = selected(&desk);
        page(&mut desk, first - 100..first);
        assert_eq!(selected(&desk), chosen);
        assert!(state(&desk).rows.rows.len() <= 3 * PAGE);
    }
    assert_eq!(state(&desk).rows.rows[0], samples::many(0..1)[0]);
}

#[test]
fn the_ends_of_a_long_list_are_pages_of_their_own() {
    let mut desk = Desk::new(120, 36).at(place());
    page(&mut desk, 0..100);
    desk.press("G");
    assert_eq!(searches(&desk.asked).last().map(|asked| asked.2), Some(Start::Oldest));
    page(&mut desk, 900..1000);
    assert_eq!(state(&desk).list.cursor.index, 99);
    desk.press("g g");
    assert_eq!(searches(&desk.asked).last().map(|asked| asked.2), Some(Start::Newest));
    page(&mut desk, 0..100);
    assert_eq!(state(&desk).list.cursor.index, 0);
}

#[test]
fn a_page_that_fails_is_asked_for_again() {
    let mut desk = Desk::new(120, 36).at(place());
    page(&mut desk, 0..100);
    desk.effects();
    for _ in 0..5 {
        desk.press("ctrl-d");
    }
    fails(&mut desk);
    assert_eq!(state(&desk).rows.rows.len(), 100);
    desk.effects();
    desk.press("j");
    assert!(matches!(searches(&desk.asked).last(), Some((_, _, Start::OlderThan(_), _))));
}

#[test]
fn a_long_list_is_counted_and_a_short_one_is_not() {
    let mut desk = Desk::new(120, 36).at(place());
    page(&mut desk, 0..100);
    let ticket = desk.counting();
    assert!(desk.shows("Orders (100+)"));
    desk.orders(Msg::Counted(ticket, Ok(Count::About(2_555_000))));
    assert!(desk.shows("Orders (~2,555,000)"));
    let desk = Desk::listing(120, 36);
    assert!(!format!("{:?}", desk.asked).contains("Count"));
}

#[test]
fn marks_are_kept_by_order_and_copied() {
    let mut desk = Desk::listing(120, 36);
    desk.press("space space");
    assert_eq!((state(&desk).list.marks().len(), state(&desk).list.cursor.index), (2, 2));
    desk.effects();
    desk.press("y");
    let ids: Vec<_> = samples::rows()[..2].iter().map(|row| row.id.to_string()).collect();
    assert_eq!(copied(&desk.effects()), [ids.join("\n")]);
    desk.press("v");
    assert_eq!(state(&desk).list.marks().len(), 8);
    desk.press("*");
    assert_eq!(state(&desk).list.marks().len(), 10);
    assert!(desk.shows("10 marked"));
    desk.press("r");
    desk.list(samples::rows());
    assert_eq!(state(&desk).list.marks().len(), 10);
    desk.press("esc");
    assert!(state(&desk).list.marks().is_empty());
    desk.press("y");
    assert_eq!(copied(&desk.effects()), [samples::rows()[2].id.to_string()]);
}

#[test]
fn a_link_and_a_bookmark_name_the_place() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    desk.types("buyer:\"le t\"");
    desk.press("enter Y");
    assert_eq!(copied(&desk.effects()), ["ops://local/orders?q=buyer:%22le%20t%22"]);
    desk.press("b");
    let id = samples::rows()[0].id;
    assert!(desk.app.shared.kept.bookmarks.contains(&id));
    let saved = runs(&desk.effects()).iter().any(
        |(_, request)| matches!(request, app::Request::Save(kept) if kept.bookmarks.contains(&id)),
    );
    assert!(saved);
    desk.press("b");
    assert!(desk.app.shared.kept.bookmarks.is_empty());
}

#[test]
fn enter_opens_the_only_hit_and_remembers_the_search() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    desk.types("8c41");
    desk.list(vec![samples::rows()[3].clone()]);
    desk.press("enter");
    assert!(desk.is_on::<screens::timeline::State>());
    assert_eq!(desk.app.shared.kept.searches, ["8c41"]);
    desk.press("2 / ctrl-u up");
    assert_eq!(state(&desk).field.text(), "8c41");
}

#[test]
fn a_paste_goes_into_the_search_box() {
    let mut desk = Desk::listing(120, 36);
    desk.paste("status:new\r\nq");
    assert_eq!(state(&desk).field.text(), "status:new  q");
    assert!(state(&desk).is_typing() && !desk.app.quit);
}

#[test]
fn tab_completes_the_only_proposal_and_lists_several() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    desk.types("statu");
    desk.press("tab");
    assert_eq!(state(&desk).field.text(), "status:");
    desk.press("tab");
    assert!(state(&desk).proposals.len() > 2, "{:?}", state(&desk).proposals);
    desk.types("new");
    assert!(state(&desk).proposals.is_empty());
    assert_eq!(state(&desk).error, None);
}

#[test]
fn the_newest_page_is_read_again_unless_that_would_disturb() {
    let mut desk = Desk::listing(120, 36);
    let now = desk.app.shared.now.instant;
    let seconds =
        |desk: &Desk| state(desk).wakes_at(&desk.app.shared).map(|at| (at - now).as_secs());
    assert_eq!(seconds(&desk), Some(5));
    desk.app.shared.focused = false;
    assert_eq!(seconds(&desk), Some(20));
    desk.app.shared.focused = true;
    desk.app.shared.frozen = true;
    assert_eq!(seconds(&desk), None);
    desk.app.shared.frozen = false;
    desk.press("/");
    assert_eq!(seconds(&desk), None);
    desk.press("esc");
    desk.effects();
    desk.wait(Duration::from_secs(4));
    assert_eq!(searches(&desk.effects()), []);
    desk.wait(Duration::from_secs(1));
    assert_eq!(seconds(&desk), None, "one question at a time");
    fails(&mut desk);
    assert_eq!(seconds(&desk), Some(10), "a failure is tried again at the next turn");
}

#[test]
fn a_click_chooses_a_double_click_opens() {
    let mut desk = Desk::listing(120, 36);
    let click = MouseEventKind::Down(MouseButton::Left);
    desk.mouse(click, 5, 10);
    assert_eq!(selected(&desk), "…8c41");
    desk.wait(Duration::from_secs(2));
    desk.mouse(click, 5, 10);
    assert!(desk.is_on::<State>(), "two slow clicks are no double click");
    desk.mouse(click, 5, 10);
    assert!(desk.is_on::<screens::timeline::State>());
    let mut desk = Desk::listing(120, 36);
    desk.mouse(MouseEventKind::ScrollDown, 5, 9);
    assert_eq!(state(&desk).list.cursor.index, 3);
    desk.mouse(click, 5, 3);
    assert!(state(&desk).is_typing());
}

#[test]
fn bookmarks_go_to_the_root_and_enter_opens() {
    let desk = Desk::listing(120, 36);
    let shared = desk.app.shared.clone();
    let id = samples::rows()[0].id;
    let mut orders = State { rows: state(&desk).rows.clone(), ..State::default() };
    let mut common = |common| orders.input(Input::Common(common), &shared);
    assert_eq!(common(super::Common::Bookmark), [Effect::Keep(Keep::Bookmark(id))]);
    assert_eq!(common(super::Common::Enter), [Effect::Open(Route::order(id))]);
}

#[test]
fn looks_as_it_should() {
    let mut desk = Desk::new(120, 36);
    frames!("connecting", desk);
    let mut desk = Desk::new(120, 36).at(place());
    frames!("loading", desk);
    desk.list(vec![]);
    frames!("empty", desk);
    let mut desk = Desk::listing(120, 36);
    desk.press("j j j space");
    desk.press("k");
    frames!("full", desk);
    desk.wait(Duration::from_secs(100));
    desk.wait(Duration::from_secs(25));
    frames!("stale", desk);
    fails(&mut desk);
    frames!("failed", desk);
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    desk.types("status:new total:>much");
    frames!("malformed", desk);
    desk.press("ctrl-u");
    desk.types("has:");
    desk.press("tab");
    frames!("proposals", desk);
    let mut desk = Desk::listing(120, 36);
    desk.press("tab");
    frames!("preview", desk);
    desk.press("i");
    frames!("explained", desk);
    let mut desk = Desk::listing(120, 36);
    desk.press("Z");
    frames!("faults", desk);
}

#[test]
fn an_attached_production_database_looks_its_part() {
    let mut desk = Desk::new(120, 36).at(attached());
    let ticket = desk.searched();
    let mut answer = samples::answer();
    answer.coverage = vec![
        "flag x from the newest 1000 dead letters".to_owned(),
        "notes not searched: no index on orders.note".to_owned(),
    ];
    let window = Window { rows: samples::rows(), before: None, after: None };
    desk.orders(Msg::Found(ticket, Ok((window, answer))));
    frames!("attached", desk);
    desk.press("!");
    frames!("limits", desk);
}

#[test]
fn a_store_with_tenants_names_them_in_every_row() {
    let mut desk = Desk::new(120, 36).at(place());
    let mut rows = samples::rows();
    for (row, tenant) in rows.iter_mut().zip(["shop-a", "shop-b", "shop-a, shop-b", "bán sách"]) {
        row.tenant = Some(tenant.to_owned());
    }
    desk.list(rows);
    frames!("tenants", desk);
}

#[test]
fn fits_every_window() {
    Desk::new(80, 24).fits_every_window();
    let mut desk = Desk::new(80, 24).at(attached());
    desk.list(vec![]);
    desk.fits_every_window();
    let mut desk = Desk::listing(120, 36);
    desk.app.shared.masked = false;
    desk.fits_every_window();
    for keys in ["tab", "z", "i", "i / x : y z", "tab"] {
        desk.press(keys);
        desk.fits_usual_windows();
    }
    desk.press("ctrl-u");
    desk.types(
        "total:>漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    );
    desk.fits_every_window();
    let mut desk = Desk::new(120, 36).at(place());
    page(&mut desk, 0..100);
    for _ in 0..9 {
        desk.press("ctrl-d");
        desk.fits_usual_windows();
    }
    fails(&mut desk);
    desk.fits_every_window();
}

#[test]
fn reading_again_deep_in_a_list_stays_there() {
    let mut desk = Desk::new(120, 36).at(place());
    page(&mut desk, 0..100);
    while state(&desk).rows.rows.len() < 300 {
        let loaded = u32::try_from(state(&desk).rows.rows.len()).unwrap();
        desk.press("ctrl-d");
        if searches(&desk.asked).last().is_some() {
            page(&mut desk, loaded..loaded + 100);
        }
    }
    while state(&desk).list.cursor.index < 150 {
        desk.press("j");
    }
    desk.effects();
    let chosen = selected(&desk);
    desk.press("r");
    let asked = searches(&desk.asked);
    let Some((_, _, Start::OlderThan(from), _)) = asked.last() else { panic!("{asked:?}") };
    // The page begins with the row half a page above the cursor.
    let first = u32::try_from(state(&desk).list.cursor.index).unwrap() - 50;
    let row = &samples::many(first..first + 1)[0];
    assert_eq!((from.placed, from.id.0.as_u128()), (row.placed, row.id.0.as_u128() + 1));
    page(&mut desk, first..first + 100);
    assert_eq!((selected(&desk), state(&desk).rows.rows.len()), (chosen, 100));
}

#[test]
fn another_question_starts_at_the_top() {
    let mut desk = Desk::listing(120, 36);
    desk.press("j j j");
    let chosen = selected(&desk);
    desk.press("/");
    desk.types("total:>1");
    desk.list(samples::rows());
    assert_ne!(selected(&desk), chosen);
    assert_eq!(state(&desk).list.cursor.index, 0);
}

#[test]
fn the_explanation_scrolls_to_its_end() {
    let mut desk = Desk::listing(80, 24);
    desk.press("i");
    assert!(desk.shows("Columns and marks") && !desk.shows("has:"));
    desk.press("G");
    assert!(desk.shows("has:"));
    desk.press("g g");
    assert!(!desk.shows("has:"));
    desk.press("esc");
    assert!(!desk.shows("Columns and marks"));
}

#[test]
fn marks_are_copied_as_they_are_listed() {
    let mut desk = Desk::listing(120, 36);
    desk.press("j j space g g space");
    desk.effects();
    desk.press("y");
    let rows = samples::rows();
    assert_eq!(copied(&desk.effects()), [format!("{}\n{}", rows[0].id, rows[2].id)]);
}

#[test]
fn the_footer_shows_the_keys_of_the_box_while_typing() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    let foot = desk.frame().lines().last().unwrap().to_owned();
    assert!(
        foot.contains("leave") && foot.contains("complete") && !foot.contains("palette"),
        "{foot}"
    );
    desk.press("esc");
    assert!(!desk.frame().lines().last().unwrap().contains("leave"));
}

#[test]
fn a_letter_typed_quickly_after_escape_is_a_key_of_its_own() {
    let mut desk = Desk::listing(120, 36);
    let before = state(&desk).list.cursor.index;
    desk.press("/");
    desk.event(&Event::Key(KeyEvent::new(KeyCode::Char('j'), KeyModifiers::ALT)));
    assert_eq!((state(&desk).is_typing(), state(&desk).list.cursor.index), (false, before + 1));
    // What the box has of its own stays its own.
    desk.press("/");
    desk.types("door");
    desk.event(&Event::Key(KeyEvent::new(KeyCode::Char('b'), KeyModifiers::ALT)));
    assert!(state(&desk).is_typing() && state(&desk).field.cursor() == 0);
}
