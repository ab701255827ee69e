//! The inbox's lists, its day hour by hour, and who holds a message's owner.

use super::*;
use crate::{
    db::inbox::{Hour, first},
    domain::diagnosis::Backend,
};

const DELETING: ConsumerId = ConsumerId(Uuid::from_u128(0x8364));

fn consumer() -> ConsumerId {
    ConsumerId(Uuid::from_u128(0xcdc6e))
}

pub fn listed() -> Listed {
    let inbox = (0..12).map(|number| InboxRow {
        id: 100 - number,
        message: MessageId(Uuid::from_u128(0x6100 + u128::try_from(number).unwrap())),
        consumer: consumer(),
        received: ago(6) - TimeDelta::seconds(number * 11),
        passes: [0, 3, 4, 1][usize::try_from(number % 4).unwrap()],
        consumed: (number % 4 > 0).then(|| ago(6)),
        delivered: [1, 2].contains(&(number % 4)).then(|| ago(6) + TimeDelta::milliseconds(200)),
        cursor: None,
    });
    Listed { inbox: inbox.collect(), ..Listed::default() }
}

/// Busy by day, quiet by night; something came again once, something was not done in the last hour.
pub fn day() -> Day {
    let from = first(now().utc);
    let hour = |consumer, number: i64, received, again, open| {
        let at = from + TimeDelta::hours(number);
        Hour { consumer, at, received, again, open }
    };
    let busy = (4..24).map(|number| {
        let received = 1 + (number * number) % 17;
        hour(consumer(), number, received, i64::from(number == 19), 0)
    });
    let rare = [hour(DELETING, 2, 1, 0, 0), hour(DELETING, 23, 3, 0, 2)];
    Day { from, hours: busy.chain(rare).collect(), coverage: vec![] }
}

/// In the inbox, from a screen that has looked for a minute.
fn desk() -> Desk {
    let mut desk = watching(120, 36);
    desk.press("> > > > >");
    answer(&mut desk, &stalled(40, 1_204), &listed());
    desk
}

fn lists(asked: &[Request]) -> Vec<InboxView> {
    let view = |request: &Request| match request {
        Request::Inbox(received::Request::List { view, .. }) => Some(*view),
        _ => None,
    };
    asked.iter().filter_map(view).collect()
}

#[test]
fn only_what_is_wrong_is_listed_until_esc() {
    let mut desk = desk();
    frames!("inbox", desk);
    desk.resize(120, 36);
    let mut press = |keys: &str| {
        desk.press(keys);
        let asked = lists(&answer(&mut desk, &stalled(40, 1_204), &Listed::default()));
        (asked, desk.frame())
    };
    let (asked, frame) = press("U");
    assert_eq!(asked, [InboxView::Failing]);
    assert!(frame.contains("Inbox: not handled (Esc: all)"), "{frame}");
    assert!(frame.contains("nothing has waited for longer than messages.held_after"), "{frame}");
    assert_eq!(press("U").0, [InboxView::HalfDone]);
    let (asked, frame) = press("d");
    assert_eq!(asked, [InboxView::Duplicates]);
    assert!(frame.contains("Inbox: duplicates"), "{frame}");
    assert_eq!(press("esc").0, [InboxView::All]);
    assert_eq!(state(&desk).cli_equivalent(), "orderscope inbox list");
}

#[test]
fn inbox_lists_are_for_the_inbox_and_what_stands_above_it() {
    let mut desk = watching(120, 36);
    desk.press("p U");
    let asked = answer(&mut desk, &stalled(30, 1_204), &listed());
    assert_eq!(lists(&asked), [InboxView::Failing]);
    assert!(desk.shows("Inbox: not handled"), "{}", desk.frame());
    desk.press(">");
    answer(&mut desk, &stalled(30, 1_204), &listed());
    desk.press("U");
    assert!(desk.shows("only inbox rows are told apart so"), "{}", desk.frame());
    assert_eq!(requests(&desk.effects()), []);
}

#[test]
fn the_day_is_shown_hour_by_hour_from_any_list() {
    let mut desk = watching(120, 36);
    desk.press("H");
    let asked = answer(&mut desk, &stalled(40, 1_204), &listed());
    assert!(
        asked
            .iter()
            .any(|request| matches!(request, Request::Inbox(received::Request::Day { .. }))),
        "{asked:?}"
    );
    assert_eq!(lists(&asked), [InboxView::All]);
    assert!(desk.shows("Received by hour") && desk.shows("2 not done"), "{}", desk.frame());
    assert_eq!(state(&desk).cli_equivalent(), "orderscope inbox hours");
    frames!("hours", desk);
    desk.resize(120, 36);
    desk.wait(Duration::from_secs(5));
    let asked = answer(&mut desk, &stalled(45, 1_204), &listed());
    assert!(
        asked
            .iter()
            .any(|request| matches!(request, Request::Inbox(received::Request::Day { .. }))),
        "{asked:?}"
    );
    desk.press("H");
    assert!(!desk.shows("Received by hour"), "{}", desk.frame());
    desk.wait(Duration::from_secs(5));
    let asked = answer(&mut desk, &stalled(50, 1_204), &listed());
    assert!(
        !asked
            .iter()
            .any(|request| matches!(request, Request::Inbox(received::Request::Day { .. }))),
        "{asked:?}"
    );
}

#[test]
fn a_day_that_cannot_be_read_says_so() {
    let mut desk = desk();
    desk.press("H");
    let asked = requests(&desk.effects());
    let [Request::Inbox(received::Request::Day { ticket })] = asked[..] else {
        panic!("{asked:?}")
    };
    send(
        &mut desk,
        Msg::Inbox(received::Msg::Day(ticket, Err(db::Error::Lost("gone".to_owned())))),
    );
    assert!(desk.shows("Not refreshed"), "{}", desk.frame());
}

#[test]
fn the_holder_is_looked_up_again_and_told() {
    let mut desk = watching(120, 36);
    desk.press("tab tab");
    assert!(desk.shows("held by"), "{}", desk.frame());
    desk.press("L");
    let asked = requests(&desk.effects());
    let [Request::Outbox(outbox::Request::Read { ticket, sequence: 88_190 })] = asked[..] else {
        panic!("{asked:?}")
    };
    let backend = Backend {
        pid: 412,
        application: "ordering-7f".to_owned(),
        state: Some("idle in transaction".to_owned()),
        since: Some(ago(3)),
        client: None,
    };
    let held = Message { lock: Some(Lock::Held(backend)), ..message(88_190) };
    send(&mut desk, Msg::Outbox(outbox::Msg::Read(ticket, Ok(Some(Arc::new(held))))));
    assert!(
        desk.shows(
            "held by: backend 412 (ordering-7f, idle in transaction, in its transaction for 3m"
        ),
        "{}",
        desk.frame()
    );
    desk.press("esc L");
    let asked = requests(&desk.effects());
    let [Request::Outbox(outbox::Request::Read { ticket, .. })] = asked[..] else {
        panic!("{asked:?}")
    };
    send(&mut desk, Msg::Outbox(outbox::Msg::Read(ticket, Ok(None))));
    assert!(desk.shows("it is gone: delivered or purged"), "{}", desk.frame());
}

#[test]
fn how_long_messages_take_to_leave_stands_beside_the_backlog_and_the_consumers() {
    let mut status = stalled(45, 1_204);
    let [p50, p95, p99] = [1, 14, 62].map(TimeDelta::seconds);
    status.facts.published = Published::Took(Latency { rows: 1_204, p50, p95, p99 });
    let mut desk = desk();
    desk.press("r");
    answer(&mut desk, &status, &listed());
    let told = "published in p50 1s  p95 14s  p99 1m 02s of 1,204 outboxes";
    assert!(desk.shows(told), "{}", desk.frame());
    let told = ["publish latency p50 1s p95 14s p99 1m 02s of", "1,204 outboxes"];
    assert!(told.iter().all(|told| desk.shows(told)), "{}", desk.frame());
    desk.press("tab tab");
    desk.resize(80, 24);
    assert!(desk.shows("publish latency p50 1s p95 14s p99 1m 02s"), "{}", desk.frame());
}
