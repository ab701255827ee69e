//! Tables that cannot be looked at: the screen says so and shows no figure that rests on them.

use super::*;

#[test]
fn what_cannot_be_looked_at_is_unknown_and_no_all_clear() {
    let unseen = |what: &str| NotLookedAt::unknown(what, format!("no right to read {what}"));
    let at = now().utc;
    let overview = Overview {
        open: Tally::Unknown,
        bus: Tally::Unknown,
        consumer: Tally::Unknown,
        orphans: Tally::Unknown,
        expired: Tally::Unknown,
        undeliverable: Tally::Unknown,
        ..overview(at)
    };
    let facts = Facts {
        open: Tally::Unknown,
        bus: Tally::Unknown,
        consumer: Tally::Unknown,
        orphans: Tally::Unknown,
        inbox: Inbox {
            rows: Tally::Unknown,
            failing: Tally::Unknown,
            half_done: Tally::Unknown,
            ..Inbox::default()
        },
        ..Facts::nothing(at)
    };
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    let listed = Listed { coverage: vec![unseen("outbox_message")], ..Listed::default() };
    let mut status = Status::of(overview, facts);
    status.coverage = ["outbox_message", "inbox_state"].map(unseen).to_vec();
    answer(&mut desk, &status, &listed);
    assert!(!desk.shows("Nothing is pending") && !desk.shows("no consumer received"));
    assert!(desk.shows("pending unknown"), "{}", desk.frame());
    assert!(!desk.shows("No fault found") && !desk.shows("nothing pending"), "{}", desk.frame());
    frames!("unknown", desk);
}
