//! Tables that cannot be looked at: the screen says so and shows no figure that rests on them.

use super::*;

#[test]
fn what_cannot_be_looked_at_is_unknown_and_no_all_clear() {
    let unseen =
        |what: &str| Unseen { what: what.to_owned(), why: format!("no right to read {what}") };
    let at = now().utc;
    let overview = Overview {
        open: Tally::Unknown,
        bus: Tally::Unknown,
        consumer: Tally::Unknown,
        orphans: Tally::Unknown,
        expired: Tally::Unknown,
        undeliverable: Tally::Unknown,
        unseen: vec![unseen("outbox_message")],
        ..overview(at)
    };
    let facts = Facts {
        open: Tally::Unknown,
        bus: Tally::Unknown,
        consumer: Tally::Unknown,
        orphans: Tally::Unknown,
        unseen: overview.unseen.clone(),
        inbox: Inbox {
            rows: Tally::Unknown,
            failing: Tally::Unknown,
            half_done: Tally::Unknown,
            unseen: vec![unseen("inbox_state")],
            ..Inbox::default()
        },
        ..Facts::nothing(at)
    };
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    let listed = Listed { unseen: overview.unseen.clone(), ..Listed::default() };
    answer(&mut desk, &Status::of(overview, facts), &listed);
    assert!(!desk.shows("Nothing is pending") && !desk.shows("no consumer received"));
    assert!(desk.shows("pending unknown"), "{}", desk.frame());
    assert!(!desk.shows("No fault found") && !desk.shows("nothing pending"), "{}", desk.frame());
    frames!("unknown", desk);
}
