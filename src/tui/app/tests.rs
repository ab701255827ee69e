//! The root: trail, palette, help, keys, notes, and the frame around the screens.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ratatui::style::Modifier;

use super::{COMMANDS, Ended, Modal, Msg, NOTE_STAYS, Purpose, Request, bindings, help};
use crate::tui::{
    effect::Lane,
    journal,
    route::Route,
    screens::{Screen as _, Screens, orders, timeline},
    shared::{Link, News, Place, Remembered},
    tests::{Desk, attached, frames, place, runs, samples},
    ui::{
        action::{Keys, shown},
        theme::Theme,
    },
};

/// Runs a line in the palette.
fn command(desk: &mut Desk, line: &str) {
    desk.press("esc esc :");
    desk.types(line);
    desk.press("enter");
}

/// What the palette has to say against it.
fn complaint(desk: &Desk) -> Option<String> {
    match &desk.app.modal {
        Some(Modal::Palette(state)) => state.error.clone(),
        _ => None,
    }
}

fn note(desk: &Desk) -> &str {
    desk.app.note.as_ref().map_or("", |note| &note.text)
}

fn remapped(name: &str, keys: &[&str]) -> Keys {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    Keys::new(BTreeMap::from([(name.to_owned(), keys)]))
}

#[test]
fn the_start_connects_recalls_and_goes_where_it_should() {
    let mut desk = Desk::new(80, 24);
    let effects = desk.effects();
    let asked = runs(&effects);
    assert!(asked.contains(&(Lane::Every, &Request::Connect)));
    assert!(asked.contains(&(Lane::Every, &Request::Recall)));
    assert!(matches!(asked.last(), Some((_, Request::Screen(_)))));
}

#[test]
fn ctrl_z_suspends_whatever_is_open() {
    for keys in ["", "/ x", ": x", "?", "@", "w", "w x", "g"] {
        let mut desk = Desk::listing(120, 36);
        if !keys.is_empty() {
            desk.press(keys);
        }
        let open = desk.app.modal.is_some();
        desk.press("ctrl-z");
        assert!(desk.app.suspended, "{keys}");
        assert_eq!(desk.app.modal.is_some(), open, "{keys}: it is there when the terminal is");
    }
    let mut desk = Desk::listing(120, 36);
    desk.app.shared.keys = remapped("suspend", &["ctrl-x"]);
    desk.press(": ctrl-z");
    assert!(!desk.app.suspended);
    desk.press("ctrl-x");
    assert!(desk.app.suspended);
}

#[test]
fn escape_never_quits() {
    let mut desk = Desk::listing(120, 36);
    for keys in ["", "/ x", ": x", "?", "!", "i", "z", "tab", "space", "3"] {
        if !keys.is_empty() {
            desk.press(keys);
        }
        desk.press("esc esc esc esc esc esc");
        assert!(!desk.app.quit, "{keys}");
        assert!(desk.app.modal.is_none(), "{keys}");
    }
    desk.press("q");
    assert!(desk.app.quit);
}

#[test]
fn the_trail_leads_back_and_forth() {
    let mut desk = Desk::listing(120, 36);
    desk.press("/");
    desk.types("status:new");
    desk.list(samples::rows());
    desk.press("enter enter");
    desk.read(samples::cancelled());
    desk.press("h");
    desk.press("[");
    assert!(desk.is_on::<orders::State>());
    assert_eq!(desk.app.screens.route(), Some(Route::new("orders").with("q=status:new")));
    desk.press("]");
    assert!(desk.is_on::<timeline::State>());
    desk.press("]");
    assert_eq!(note(&desk), "nothing further on");
    desk.press("[ [ [");
    assert_eq!(note(&desk), "this is where we started");
    desk.press("-");
    assert!(desk.is_on::<timeline::State>());
    desk.press("-");
    assert!(desk.is_on::<orders::State>());
}

#[test]
fn the_trail_comes_back_to_the_version_that_was_looked_at() {
    let mut desk = Desk::travelling(120, 36, samples::cancelled());
    desk.press("h 2 [");
    desk.read(samples::cancelled());
    let order = samples::cancelled().id;
    let at = Some(crate::domain::id::Version(1));
    assert_eq!(
        desk.state::<timeline::State>().place(),
        Some(timeline::Place { order, at, diff: None })
    );
}

#[test]
fn saved_views_are_kept_and_come_back() {
    let mut desk = Desk::listing(120, 36);
    desk.press("f2");
    assert!(note(&desk).contains("nothing is saved under F2"), "{}", note(&desk));
    desk.press("/");
    desk.types("status:new");
    desk.press("enter");
    desk.effects();
    command(&mut desk, "save 3");
    let route = Route::new("orders").with("q=status:new");
    // Esc before the command cleared the search; what is saved is what is on screen.
    let saved = desk.app.shared.kept.views[&3].clone();
    assert!(saved == route || saved == Route::new("orders"));
    let effects = desk.effects();
    assert!(runs(&effects).iter().any(|(_, request)| matches!(request, Request::Save(_))));
    let kept = Remembered { views: BTreeMap::from([(2, route.clone())]), ..Remembered::default() };
    desk.send(Msg::Remembered(kept));
    desk.press("f2");
    assert_eq!(desk.app.screens.route(), Some(route));
}

#[test]
fn the_palette_finds_by_scattered_letters_and_runs() {
    let mut desk = Desk::listing(120, 36);
    desk.press(":");
    desk.types("frz");
    assert!(desk.shows("freeze"));
    desk.press("enter");
    assert!(desk.app.shared.frozen && desk.app.modal.is_none());
    command(&mut desk, "orders.clear");
    assert_eq!(complaint(&desk).as_deref(), Some("not now: the search box is empty already"));
    command(&mut desk, "nosuchthing");
    assert!(complaint(&desk).is_some_and(|told| told.contains("no command matches")));
    desk.press("backspace");
    assert_eq!(complaint(&desk), None);
    // Down chooses, Tab takes the name over.
    desk.press("ctrl-u");
    desk.types("inter");
    desk.press("tab");
    desk.types("7");
    desk.press("enter");
    assert_eq!(desk.app.shared.interval, Duration::from_secs(7));
}

#[test]
fn commands_take_arguments_and_complain_about_wrong_ones() {
    let mut desk = Desk::listing(120, 36);
    command(&mut desk, "interval 30s");
    assert_eq!(desk.app.shared.interval, Duration::from_secs(30));
    command(&mut desk, "zone Asia/Tokyo");
    assert_eq!(desk.app.shared.zone.to_string(), "Asia/Tokyo");
    assert!(desk.shows("23:02:11"));
    command(&mut desk, "theme dusk");
    assert_eq!(desk.app.theme, Theme::DUSK);
    command(&mut desk, "mouse off");
    assert!(!desk.app.mouse);
    let order = samples::cancelled().id;
    command(&mut desk, &format!("open ops://local/order/{order}"));
    assert!(desk.is_on::<timeline::State>());
    for (line, told) in [
        ("interval 0", "from 1 to 3600"),
        ("interval soon", "from 1 to 3600"),
        ("zone Mars", "Mars"),
        ("theme pink", "choose one of"),
        ("mouse maybe", "on or off"),
        ("save 1", "from 2 to 9"),
        ("open ops://prod/orders", "that link is for prod"),
        ("open http://x", "not a link"),
        ("interval", "from 1 to 3600"),
    ] {
        command(&mut desk, line);
        let complaint = complaint(&desk).unwrap_or_else(|| panic!("{line} went through"));
        assert!(complaint.contains(told), "{line}: {complaint}");
    }
}

#[test]
fn a_paste_into_the_palette_is_text() {
    let mut desk = Desk::listing(120, 36);
    desk.press(":");
    desk.paste("zone UTC\n");
    assert!(desk.app.modal.is_some());
    assert!(desk.shows(":") && desk.shows("zone UTC"));
}

#[test]
fn help_lists_every_action_command_and_key() {
    for screen in ["2", "3"] {
        let mut desk = Desk::listing(120, 36);
        desk.press(screen);
        let lines = help::lines(&desk.app, &Theme::MONO);
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let (own, global) = (desk.app.own_infos(), desk.app.global_infos());
        for info in own.iter().chain(&global) {
            let alike =
                info.name.starts_with("view.") && info.name.len() == 6 && info.name > "view.2";
            let told = text.iter().any(|line| {
                line.contains(info.help) && info.keys.iter().all(|key| line.contains(&shown(key)))
            });
            assert!(told || alike, "{} is not told", info.name);
        }
        for command in COMMANDS {
            assert!(text.iter().any(|line| line.contains(command.help)), "{command:?}");
        }
    }
}

#[test]
fn help_scrolls_to_its_end() {
    let mut desk = Desk::listing(80, 24);
    desk.press("?");
    let last = help::lines(&desk.app, &Theme::MONO).last().unwrap().to_string();
    assert!(!desk.shows(last.trim()));
    for _ in 0..20 {
        desk.press("ctrl-d");
    }
    assert!(desk.shows(last.trim()));
    let bottom = desk.frame();
    desk.press("k");
    assert_ne!(desk.frame(), bottom, "one key back shows one line more");
}

#[test]
fn keys_can_be_changed_and_a_clash_is_found() {
    let mut desk = Desk::with_keys(120, 36, remapped("quit", &["Q"]));
    desk.press("q");
    assert!(!desk.app.quit);
    desk.press("Q");
    assert!(desk.app.quit);
    let problems = |keys: &Keys| keys.problems(&bindings(&Screens::default(), keys));
    assert_eq!(problems(&Keys::default()), Vec::<String>::new());
    assert_eq!(problems(&remapped("quit", &["f12"])), Vec::<String>::new());
    assert_eq!(problems(&remapped("help", &["q"])), ["q: means both help and quit"]);
    let clash = problems(&remapped("timeline.play", &["j"]));
    assert_eq!(clash, ["j: means both move.down and timeline.play"]);
    let clash = problems(&remapped("orders.clear", &["g"]));
    assert_eq!(clash, ["g: means both move.top and orders.clear"]);
    assert!(problems(&remapped("quit", &["hyper-q"]))[0].contains("cannot read the key"));
}

#[test]
fn a_half_typed_sequence_is_dropped_by_another_key() {
    let mut desk = Desk::listing(120, 36);
    desk.press("j j g");
    assert!(desk.shows("·"));
    desk.press("j");
    assert_eq!(
        desk.state::<orders::State>().selected().map(|row| row.id),
        Some(samples::rows()[3].id)
    );
    desk.press("g g");
    assert_eq!(
        desk.state::<orders::State>().selected().map(|row| row.id),
        Some(samples::rows()[0].id)
    );
}

#[test]
fn a_note_goes_when_its_time_is_over() {
    let mut desk = Desk::listing(120, 36);
    desk.press("S");
    assert!(desk.shows("the list is always newest first"));
    assert!(desk.app.wakes_at().is_some_and(|at| at <= desk.app.shared.now.instant + NOTE_STAYS));
    desk.wait(NOTE_STAYS);
    assert!(!desk.shows("the list is always newest first"));
}

#[test]
fn the_age_of_the_data_wakes_each_second_and_then_each_minute() {
    let mut desk = Desk::listing(120, 36);
    desk.app.shared.frozen = true;
    let seen = desk.app.shared.now.instant;
    assert_eq!(desk.app.wakes_at(), Some(seen + Duration::from_secs(1)));
    desk.wait(Duration::from_millis(59_500));
    assert_eq!(desk.app.wakes_at(), Some(seen + Duration::from_mins(1)));
    desk.wait(Duration::from_secs(10));
    assert_eq!(desk.app.wakes_at(), Some(seen + Duration::from_mins(2)));
}

#[test]
fn the_end_by_itself_keeps_its_reason() {
    let mut desk = Desk::new(80, 24);
    let ended = Ended { message: "no".to_owned(), code: 3 };
    desk.send(Msg::Ended(ended.clone()));
    assert_eq!((desk.app.quit, desk.app.ended), (true, Some(ended)));
}

#[test]
fn the_header_tells_that_the_server_is_left_alone() {
    let mut desk = Desk::new(120, 36);
    desk.app.shared.pause = Some(Duration::from_millis(3_200));
    assert!(desk.shows("RETRY 4s"), "{}", desk.frame());
}

#[test]
fn colour_is_never_the_only_sign() {
    let mut desk = Desk::listing(120, 36);
    let buffer = desk.buffer();
    let row = |marker: &str| {
        let has = |y: &u16| {
            let line: String = (0..120).map(|x| buffer[(x, *y)].symbol()).collect();
            line.contains(marker)
        };
        (0..36).find(has).unwrap()
    };
    let cursor = row("> …0b19");
    assert!(buffer[(5, cursor)].modifier.contains(Modifier::REVERSED));
    assert!(!buffer[(5, cursor + 1)].modifier.contains(Modifier::REVERSED));
    let mut desk = Desk::new(120, 36).at(attached());
    let buffer = desk.buffer();
    let header: String = (0..120).map(|x| buffer[(x, 0)].symbol()).collect();
    let column = u16::try_from(header.find("[PROD]").unwrap()).unwrap();
    assert!(buffer[(column + 1, 0)].modifier.contains(Modifier::REVERSED | Modifier::BOLD));
    // However long the address is.
    desk.send(Msg::Linked(Link::Up(Arc::new(Place {
        host: "very.long.name".repeat(9),
        ..attached()
    }))));
    assert!(desk.shows("LOCKED read-only  PII masked"));
    // The short header names it as well.
    desk.resize(80, 24);
    assert!(desk.shows("[PROD]") && desk.shows("LOCKED") && desk.shows("PII-masked"));
}

#[test]
fn what_lies_over_the_screen_looks_as_it_should() {
    let mut desk = Desk::listing(120, 36);
    desk.press("?");
    frames!("help", desk);
    desk.press("esc :");
    frames!("palette", desk);
    desk.types("zone Mars");
    desk.press("enter");
    frames!("palette_error", desk);
    desk.press("esc f");
    frames!("frozen", desk);
    desk.resize(50, 12);
    insta::assert_snapshot!("too_small", desk.frame());
}

#[test]
fn writes_are_unlocked_for_a_reason_and_a_while() {
    let mut desk = Desk::listing(120, 36);
    assert!(desk.shows("LOCKED read-only"));
    desk.press("w enter");
    assert!(desk.shows("! the reason is needed"), "no reason, no unlocking");
    desk.types("CB-91");
    desk.effects();
    desk.press("enter enter");
    let effects = desk.effects();
    let unlock = Request::Unlock { reason: "CB-91".to_owned() };
    assert_eq!(runs(&effects), [(Lane::Every, &unlock)], "asked once");
    desk.send(Msg::Granted(Purpose::Unlock, "CB-91".to_owned(), Ok("unlocked".to_owned())));
    assert!(desk.shows("UNLOCKED 10:00"));
    desk.wait(Duration::from_millis(1_500));
    assert!(desk.shows("UNLOCKED 9:59"));
    let left = desk.app.wakes_at().unwrap() - desk.app.shared.now.instant;
    assert!(left <= Duration::from_millis(500), "the countdown goes on by itself: {left:?}");
    // Locked again by the same key.
    desk.press("w");
    assert!(desk.shows("LOCKED read-only"));
    assert!(runs(&desk.effects()).contains(&(Lane::Every, &Request::Lock)));
    // And by time, whatever is on screen.
    desk.unlock();
    desk.press("?");
    desk.wait(Duration::from_secs(600));
    assert!(runs(&desk.effects()).contains(&(Lane::Every, &Request::Lock)));
    desk.press("esc");
    assert!(desk.shows("LOCKED read-only"));
}

#[test]
fn an_unlocking_that_failed_or_was_given_up_unlocks_nothing() {
    let mut desk = Desk::listing(120, 36);
    desk.press("w");
    desk.types("why");
    desk.press("enter");
    let why = "no command runs without an audit record".to_owned();
    desk.send(Msg::Granted(Purpose::Unlock, "why".to_owned(), Err(why)));
    assert!(desk.shows("! no command runs without an audit record"));
    desk.press("enter esc");
    desk.effects();
    desk.send(Msg::Granted(Purpose::Unlock, "why".to_owned(), Ok(String::new())));
    assert!(desk.app.shared.writable().is_err());
    assert_eq!(runs(&desk.effects()), [(Lane::Every, &Request::Lock)], "what was opened is closed");
}

#[test]
fn what_cannot_be_unlocked_says_why() {
    let mut desk = Desk::listing(120, 36);
    desk.app.shared.policy.read_only = true;
    desk.press("w");
    assert!(desk.shows("start it without --read-only") && desk.shows("READ-ONLY"));
    desk.press("c");
    assert!(!desk.app.change.is_open() && desk.shows("start it without --read-only"));
    let mut desk = Desk::listing(120, 36).at(attached());
    desk.press("w");
    assert!(desk.shows("run `orderscope attach` first"));
    desk.press("@");
    assert!(desk.shows("run `orderscope attach` first"));
}

#[test]
fn personal_data_is_shown_for_a_reason_recorded_and_covered_again() {
    let mut desk = Desk::listing(120, 36);
    assert!(!desk.shows("Hoang Van Thai"));
    desk.press("R");
    desk.types("chargeback");
    desk.effects();
    desk.press("enter");
    let effects = desk.effects();
    let target = "orders".to_owned();
    let reveal = Request::Reveal { reason: "chargeback".to_owned(), target };
    assert_eq!(runs(&effects), [(Lane::Every, &reveal)]);
    assert!(!desk.shows("Hoang Van"), "not before it is recorded");
    let told = Ok("recorded as #12".to_owned());
    desk.send(Msg::Granted(Purpose::Reveal, "chargeback".to_owned(), told));
    assert!(desk.shows("Hoang Van") && desk.shows("PII SHOWN 10:00"));
    desk.press("R");
    assert!(!desk.shows("Hoang Van") && desk.shows("PII masked"));
    desk.press("R");
    desk.types("again");
    desk.press("enter");
    desk.send(Msg::Granted(Purpose::Reveal, "again".to_owned(), Ok(String::new())));
    desk.wait(Duration::from_secs(600));
    assert!(!desk.shows("Hoang Van"));
    desk.press("R");
    desk.types("once more");
    desk.press("enter");
    let why = Err("nothing is revealed without a record".to_owned());
    desk.send(Msg::Granted(Purpose::Reveal, "once more".to_owned(), why));
    assert!(!desk.shows("Hoang Van") && desk.shows("nothing is revealed without a record"));
}

/// Answers the newest reading of the log; tells what was asked for.
fn log(
    desk: &mut Desk,
    result: Result<Vec<crate::ops::audit::Recorded>, crate::db::Error>,
) -> (bool, Option<i64>) {
    let effects = desk.effects();
    let asked = effects.iter().rev().find_map(|effect| match effect {
        crate::tui::effect::Effect::Run(_, Request::Journal(request)) => Some(request.clone()),
        _ => None,
    });
    let journal::Request::Read { ticket, mine, before } = asked.expect("the log was asked for");
    desk.send(Msg::Journal(journal::Msg::Read(ticket, result)));
    (mine, before)
}

#[test]
fn the_log_goes_back_page_by_page() {
    let page = |newest: i64, rows: i64| -> Vec<_> {
        let record = samples::records().remove(0);
        (0..rows)
            .map(|n| crate::ops::audit::Recorded { number: newest - n, ..record.clone() })
            .collect()
    };
    let mut desk = Desk::listing(120, 36);
    desk.press("@");
    assert_eq!(log(&mut desk, Ok(page(1000, journal::MOST))), (false, None));
    assert!(desk.shows("#1000") && desk.shows("goes on to older records"));
    desk.press("G j");
    assert_eq!(log(&mut desk, Ok(page(800, 3))), (false, Some(801)));
    assert!(desk.shows("#800") && desk.shows("#798") && desk.shows("page 2, the last"));
    desk.press("G j");
    assert!(desk.effects().is_empty(), "there is nothing older");
    desk.press("k k k");
    assert_eq!(log(&mut desk, Ok(page(1000, journal::MOST))), (false, None));
    assert!(desk.shows("#801") && !desk.shows("#800"), "at the end of the page before");
    desk.press("j");
    assert_eq!(log(&mut desk, Ok(vec![])), (false, Some(801)));
    assert!(desk.shows("nothing older"));
    desk.press("g");
    assert_eq!(log(&mut desk, Ok(page(1000, journal::MOST))), (false, None));
    assert!(desk.shows("#1000"));
}

#[test]
fn the_log_shows_what_operators_did() {
    let mut desk = Desk::listing(120, 36);
    desk.press("@");
    assert!(desk.shows("Loading …"));
    assert_eq!(log(&mut desk, Ok(samples::records())), (false, None));
    assert!(desk.shows("#838") && desk.shows("…8c41") && !desk.shows("changed her mind"));
    frames!("log", desk);
    desk.press("j j enter");
    assert!(desk.shows("Record #830") && !desk.shows("leave at the door"));
    frames!("log_record", desk);
    desk.press("esc t");
    assert_eq!(log(&mut desk, Err(samples::lost())), (true, None), "mine only");
    assert!(desk.shows("not refreshed") && desk.shows("Connection refused"));
    desk.fits_every_window();
    desk.resize(120, 36);
    desk.press("esc");
    assert!(!desk.shows("Operations log"));
}

#[test]
fn lock_and_reveal_look_as_they_should() {
    let mut desk = Desk::listing(120, 36);
    desk.press("w");
    frames!("unlock", desk);
    desk.press("esc");
    desk.unlock();
    desk.press("R");
    frames!("reveal", desk);
    desk.types("why");
    desk.press("enter");
    desk.send(Msg::Granted(Purpose::Reveal, "why".to_owned(), Ok("recorded as #12".to_owned())));
    frames!("unlocked_revealed", desk);
    let buffer = desk.buffer();
    assert_ne!(buffer[(0, 2)].style(), Desk::listing(80, 24).buffer()[(0, 2)].style());
}

#[test]
fn modals_fit_every_window() {
    for keys in ["?", ":", ": x y z", "!", "w", "R", "@"] {
        let mut desk = Desk::listing(120, 36).at(attached());
        desk.press(keys);
        desk.fits_every_window();
        desk.press("ctrl-d ctrl-d ctrl-d");
        desk.fits_usual_windows();
        desk.press("ctrl-u enter");
        desk.fits_usual_windows();
    }
    let mut desk = Desk::listing(120, 36);
    for keys in ["w", "R", "@"] {
        desk.press(keys);
        desk.fits_every_window();
        desk.press("esc");
    }
}

#[test]
fn keys_of_what_lies_over_the_screen_can_be_changed() {
    let is_closed = |desk: &Desk| desk.app.modal.is_none();
    let mut desk = Desk::with_keys(120, 36, remapped("palette.close", &["ctrl-g"]));
    desk.press(": esc");
    assert!(!is_closed(&desk), "esc is not its key any more");
    assert!(desk.shows("Ctrl+g close"), "{}", desk.frame());
    desk.press("ctrl-g");
    assert!(is_closed(&desk));
    let mut desk = Desk::with_keys(120, 36, remapped("text.close", &["x"])).at(place());
    desk.press("? q");
    assert!(!is_closed(&desk) && desk.shows("x closes, j k scroll"), "{}", desk.frame());
    desk.press("x");
    assert!(is_closed(&desk));
    let mut desk = Desk::with_keys(120, 36, remapped("log.back", &["b"])).at(place());
    desk.press("@ esc");
    assert!(!is_closed(&desk) && desk.shows("b back"), "{}", desk.frame());
    desk.press("b");
    assert!(is_closed(&desk));
    let mut desk = Desk::with_keys(120, 36, remapped("reason.close", &["ctrl-g"])).at(place());
    desk.press("w esc");
    assert!(!is_closed(&desk));
    desk.press("ctrl-g");
    assert!(is_closed(&desk));
    let mut desk = Desk::with_keys(120, 36, remapped("field.leave", &["ctrl-g"]));
    desk.press("/ esc");
    assert!(desk.app.screens.is_typing() && desk.shows("Ctrl+g leave"), "{}", desk.frame());
    desk.press("ctrl-g");
    assert!(!desk.app.screens.is_typing());
}

#[test]
fn keys_of_menu_form_and_plan_can_be_changed() {
    let mut desk = Desk::with_keys(120, 36, remapped("menu.close", &["z"])).at(place());
    desk.unlock();
    desk.press("c esc");
    assert!(desk.app.change.is_open() && desk.shows("z close"), "{}", desk.frame());
    desk.press("z");
    assert!(!desk.app.change.is_open());
    let mut desk = Desk::with_keys(120, 36, remapped("form.close", &["ctrl-g"])).at(place());
    desk.unlock();
    desk.press("c n esc");
    assert!(desk.app.change.is_open() && desk.shows("Ctrl+g cancel"), "{}", desk.frame());
    desk.press("ctrl-g");
    assert!(!desk.app.change.is_open());
}

#[test]
fn a_key_is_checked_where_it_is_read() {
    let screens = Screens::default();
    let told = |name: &str, key: &str| {
        let keys = remapped(name, &[key]);
        keys.problems(&bindings(&screens, &keys)).join("; ")
    };
    assert_eq!(told("log.mine", "r"), "r: means both log.mine and log.refresh");
    assert_eq!(told("log.mine", "m"), "");
    assert_eq!(told("palette.run", "x"), "palette.run: x is text here");
    assert_eq!(told("plan.copy", "Y"), "plan.copy: Y begins a word here");
    assert_eq!(
        told("text.top", "g g"),
        "text.top: g g is a sequence; here each key is read by itself"
    );
    assert_eq!(told("menu.down", "c"), "c: means both menu.down and a line of the menu");
    assert_eq!(told("menu.down", "ctrl-n"), "");
    // The shell gets the terminal whatever is open.
    let told = told("palette.run", "ctrl-z");
    assert!(told.contains("ctrl-z: means both suspend and palette.run"), "{told}");
}

#[test]
fn news_are_told_and_a_broken_audit_log_stays_in_the_header() {
    for width in [80, 120] {
        let mut desk = Desk::new(width, 30).at(place());
        desk.send(Msg::News(News::Private("it was started again".to_owned())));
        assert!(desk.shows("it was started again"), "{}", desk.frame());
        desk.send(Msg::News(News::Audit(Some("this machine saw 7 entries".to_owned()))));
        assert!(
            desk.shows("AUDIT") && desk.shows("LOCKED") && desk.shows("masked"),
            "{}",
            desk.frame()
        );
        desk.press("!");
        assert!(desk.shows("this machine saw 7 entries"), "{}", desk.frame());
        desk.press("esc");
        let behind = Place { standby: Some("hot standby, 9s behind".to_owned()), ..place() };
        desk.send(Msg::News(News::Place(Arc::new(behind))));
        assert_eq!(desk.shows("9s behind"), width == 120, "{}", desk.frame());
        desk.send(Msg::News(News::Audit(None)));
        assert!(!desk.shows("AUDIT"), "{}", desk.frame());
    }
}
