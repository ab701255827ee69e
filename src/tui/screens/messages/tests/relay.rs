//! The relay beside the console: its line among the figures, and what it tried.

use super::*;
use crate::domain::outbox::OutboxKey;
use crate::workers::relay::{BlockedOutbox, Stats};

fn held(number: u128, poison: bool) -> BlockedOutbox {
    BlockedOutbox {
        outbox: OutboxKey::Bus(outbox(number)),
        sequence: 88_190 + i64::try_from(number).unwrap(),
        why: if poison { "no destination address" } else { "no queue is bound to its exchange" }
            .to_owned(),
        poison,
        since: ago(3),
        attempts: 4,
    }
}

fn busy() -> Stats {
    Stats {
        delivered: 1_200,
        recovered: 4,
        returned: 3,
        unknown: 2,
        held: vec![held(0, true), held(1, false)],
        ..Stats::default()
    }
}

fn relayed(desk: &mut Desk, stats: Stats) {
    desk.send(app::Msg::Relayed(Arc::new(stats)));
}

#[test]
fn it_has_a_line_of_its_own_only_where_there_is_one() {
    let mut desk = watching(80, 24);
    assert!(!desk.shows("relay "), "{}", desk.frame());
    relayed(&mut desk, Stats::default());
    assert!(desk.shows("relay 0 delivered"), "{}", desk.frame());
    relayed(&mut desk, busy());
    let told = "relay 1,204 delivered  2 held (1 poison)  3 no subscriber  2 perhaps twice";
    assert!(desk.shows(told), "{}", desk.frame());
    // Half the width, and the same figures.
    desk.resize(120, 36);
    let short = "relay 1,204 out  2 held (1 poison)  3 unheard  2 twice?";
    assert!(desk.shows(short), "{}", desk.frame());
    let trouble = Some("cannot reach RabbitMQ at 127.0.0.1:1".to_owned());
    relayed(&mut desk, Stats { trouble, ..busy() });
    assert!(desk.shows("relay cannot deliver: cannot reach RabbitMQ"), "{}", desk.frame());
    let planted = Some("outbox-stall".to_owned());
    relayed(&mut desk, Stats { planted, ..busy() });
    let left = "relay outbox-stall is planted: left alone until demo heal";
    assert!(desk.shows(left), "{}", desk.frame());
}

#[test]
fn what_it_tried_is_evidence_of_the_head() {
    let mut desk = watching(120, 36);
    relayed(&mut desk, busy());
    desk.press("r");
    answer(&mut desk, &stalled(30, 1_204), &page(0..40));
    desk.press("tab");
    assert!(desk.shows("the relay beside this console tried it 4 times"), "{}", desk.frame());
    assert!(desk.shows("the relay holds 1 more, outbox …b301: no queue is"), "{}", desk.frame());
    frames!("messages_relay", desk);
}
