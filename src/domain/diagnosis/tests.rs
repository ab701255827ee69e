//! Each rule on facts that make it fire, and on facts that nearly do.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::domain::{
    address::{ExchangeType, InvalidAddress},
    backlog::{Drain, Movement},
    id::{ConsumerId, MessageId, OutboxId},
    id_timestamp::LastPass,
    outbox::OutboxKey,
    poison::Poison,
    samples::at,
};

fn now() -> DateTime<Utc> {
    at("2026-11-22T14:02:11Z")
}

fn ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn head(number: u128, minutes: i64) -> Head {
    Head {
        outbox: OutboxId(Uuid::from_u128(number)),
        created: ago(minutes),
        pass: LastPass::NoneCommitted,
        cursor: None,
        pending: 1,
        next: Some(Next {
            sequence: 88_190 + i64::try_from(number).unwrap(),
            message: MessageId(Uuid::from_u128(number)),
            kind: "urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent".to_owned(),
            destination: Some("rabbitmq://h/X".to_owned()),
            poison: Some(vec![]),
        }),
        lock: Lock::Free,
    }
}

/// Ten open outboxes since 30 minutes; nobody has tried any, and nothing left between two looks.
fn stalled() -> Facts {
    Facts {
        bus: Tally::Exact(10),
        open: Tally::Exact(10),
        oldest: Some(ago(30)),
        newest: Some(ago(20)),
        heads: (0..10).map(|number| head(number, 30 - i64::try_from(number).unwrap())).collect(),
        movement: Some(Movement { since: now() - TimeDelta::seconds(5), ..movement(0, None) }),
        ..Facts::nothing(now())
    }
}

fn movement(since: i64, last_leaving: Option<i64>) -> Movement {
    Movement {
        since: ago(since),
        drawn: Some(0),
        coming: Some(0.0),
        leaving: Some(0.0),
        last_leaving: last_leaving.map(ago),
        looks: 30,
        stutters: false,
        drain: Drain::Never,
    }
}

fn found(facts: &Facts) -> Vec<Finding> {
    diagnose(facts, &Thresholds::default())
}

fn rules(facts: &Facts) -> Vec<Rule> {
    found(facts).iter().map(|finding| finding.rule).collect()
}

fn only(facts: &Facts) -> Finding {
    let found = found(facts);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(rules(&Facts::nothing(now())), []);
    let mut young = stalled();
    young.heads = vec![head(1, 0)];
    assert_eq!(rules(&young), []);
}

#[test]
fn a_worker_that_never_tried_is_suspected_until_our_samples_are_long_enough() {
    let suspected = only(&stalled());
    assert_eq!((suspected.rule, suspected.severity), (Rule::WorkerIdle, Severity::Alert));
    assert!(suspected.what.contains("suspected"), "{suspected:?}");
    assert_eq!(suspected.about, Some(Subject::Message(88_190)));
    let sure = only(&Facts { movement: Some(movement(16, None)), ..stalled() });
    assert!(sure.what.contains("is idle"), "{sure:?}");
    assert!(sure.evidence[0].contains("no delivery for 15m"), "{sure:?}");
}

#[test]
fn what_moves_is_not_known_after_one_look() {
    let first = only(&Facts { movement: None, ..stalled() });
    assert_eq!((first.rule, first.severity), (Rule::WorkerIdle, Severity::Warning));
    assert!(first.what.ends_with("whether anything leaves is not known yet"), "{first:?}");
    // What tables show by themselves needs no second look.
    let mut tried = Facts { movement: None, ..stalled() };
    tried.last_delivered = Some(now());
    assert_eq!(rules(&tried), []);
}

#[test]
fn an_idle_worker_is_told_from_a_broker_that_is_away() {
    let with = |broker| only(&Facts { broker, ..stalled() });
    let away = with(Reached::Unreachable("connection refused".to_owned()));
    assert_eq!((away.rule, away.severity), (Rule::BrokerRefused, Severity::Alert));
    assert!(has(&away, "connection refused"), "{away:?}");
    let idle = with(Reached::Answers);
    assert_eq!(idle.rule, Rule::WorkerIdle);
    assert!(has(&idle, "it is the worker"), "{idle:?}");
    assert!(has(&with(Reached::NotAsked), "was not asked"));
    // Our own login says nothing of the service's: both are told.
    let refused = Facts { broker: Reached::Refused("403".to_owned()), ..stalled() };
    assert_eq!(rules(&refused), [Rule::WorkerIdle, Rule::BrokerRefused]);
    assert!(has(&found(&refused)[0], "refuses our own login"));
}

#[test]
fn a_broker_that_lets_nobody_in_is_an_alert_at_once() {
    for broker in [Reached::Unreachable("refused".to_owned()), Reached::Refused("403".to_owned())] {
        // Orders come in; nothing is old yet, and this is the first look.
        let mut facts = Facts { broker: broker.clone(), movement: None, ..stalled() };
        facts.heads = vec![head(1, 0)];
        let finding = only(&facts);
        assert_eq!((finding.rule, finding.severity), (Rule::BrokerRefused, Severity::Alert));
        // Even where nothing waits.
        let finding = only(&Facts { broker, ..Facts::nothing(now()) });
        assert_eq!((finding.rule, finding.severity), (Rule::BrokerRefused, Severity::Alert));
        assert_eq!(finding.about, None);
    }
    let mut leaves = Facts { broker: Reached::Unreachable("no".to_owned()), ..stalled() };
    leaves.movement = Some(movement(20, Some(0)));
    let finding = &found(&leaves)[0];
    assert_eq!((finding.rule, finding.severity), (Rule::BrokerRefused, Severity::Warning));
    assert!(has(finding, "messages leave meanwhile"), "{finding:?}");
}

#[test]
fn an_exchange_of_another_type_is_named_and_never_heals_by_itself() {
    let wrong = WrongExchange {
        destination: "rabbitmq://h/X".to_owned(),
        exchange: "X".to_owned(),
        is: "topic".to_owned(),
        asked: ExchangeType::Fanout,
    };
    // A worker tries again and again, without success.
    let mut facts = Facts { broker: Reached::Answers, ..stalled() };
    facts.heads[0].pass = LastPass::At(now());
    facts.wrong_exchanges = vec![wrong];
    assert_eq!(rules(&facts), [Rule::BrokerRefused, Rule::HeadBlocks]);
    let finding = &found(&facts)[0];
    assert_eq!(finding.severity, Severity::Alert);
    assert!(finding.what.contains("exchange X is of type topic"), "{finding:?}");
    assert!(finding.what.contains("ask for fanout") && finding.what.contains("406"), "{finding:?}");
    assert!(finding.next.starts_with("this never heals by itself"), "{finding:?}");
    // The messages of a consumer, which wait for nothing that could come.
    let to = vec!["rabbitmq://h/X".to_owned()];
    let row = HalfDone { destinations: to, inbound: Inbound::Waits, ..half(5) };
    let mut half = Facts { broker: Reached::Answers, ..with_half(row) };
    assert_eq!(only(&half).severity, Severity::Warning);
    half.wrong_exchanges = facts.wrong_exchanges;
    let finding = only(&half);
    assert_eq!((finding.rule, finding.severity), (Rule::HalfDone, Severity::Alert));
    assert!(finding.what.contains("exchange X is of type topic"), "{finding:?}");
    assert!(finding.next.starts_with("this never heals by itself"), "{finding:?}");
}

#[test]
fn a_large_backlog_without_another_finding_names_none() {
    let mut facts = Facts { bus: Tally::Exact(9_600), ..stalled() };
    facts.heads = vec![head(1, 0)];
    let finding = only(&facts);
    assert_eq!(finding.rule, Rule::Backlog);
    assert!(finding.next.contains("no other cause"), "{finding:?}");
    facts.broker = Reached::Unreachable("refused".to_owned());
    assert_eq!(rules(&facts), [Rule::BrokerRefused, Rule::Backlog]);
    assert!(found(&facts)[1].next.starts_with("see to the findings above"));
}

#[test]
fn nobody_is_accused_of_holding_a_row_for_moments() {
    let mut facts = stalled();
    facts.heads.truncate(1);
    let held = |seconds| {
        Lock::Held(Backend { since: Some(now() - TimeDelta::seconds(seconds)), ..backend() })
    };
    facts.movement = None;
    facts.heads[0].lock = held(0);
    assert_eq!(rules(&facts), [Rule::WorkerIdle]);
    assert!(only(&facts).what.contains("not known yet"));
    facts.heads[0].lock = held(30);
    assert_eq!(only(&facts).rule, Rule::LockHolder);
    // A worker is on it, and for 15 minutes nothing left.
    facts.movement = Some(movement(20, None));
    facts.heads[0].lock = held(0);
    let fails = only(&facts);
    assert_eq!((fails.rule, fails.severity), (Rule::HeldHead, Severity::Alert));
}

#[test]
fn where_the_holder_is_unknown_sessions_idle_for_long_are_named() {
    let mut facts = stalled();
    facts.heads[0].lock = Lock::Unknown;
    assert_eq!(only(&facts).rule, Rule::WorkerIdle);
    facts.idle_sessions = vec![backend()];
    let finding = &found(&facts)[0];
    assert_eq!((finding.rule, finding.severity), (Rule::LockHolder, Severity::Alert));
    assert!(has(finding, "backend 4711"), "{finding:?}");
    assert!(finding.next.starts_with("stop that process first"), "{finding:?}");
    // Younger ones leave: another worker runs.
    facts.heads[0].pass = LastPass::At(ago(20));
    facts.movement = Some(movement(20, Some(0)));
    assert_eq!(only(&facts).rule, Rule::HeldHead);
}

#[test]
fn an_idle_worker_of_ten_minutes_is_a_warning() {
    let mut facts = stalled();
    facts.heads = vec![head(1, 10)];
    let finding = only(&facts);
    assert_eq!((finding.rule, finding.severity), (Rule::WorkerIdle, Severity::Warning));
}

#[test]
fn a_pass_that_moved_nothing_means_that_the_broker_refused() {
    let mut facts = stalled();
    facts.heads[0].pass = LastPass::At(now() - TimeDelta::seconds(9));
    let finding = &found(&facts)[0];
    assert_eq!(finding.rule, Rule::BrokerRefused);
    assert!(finding.what.contains("a worker tries"), "{finding:?}");
    assert!(finding.evidence.iter().any(|line| line.contains("9 of the 9")), "{finding:?}");
    facts.heads[0].pass = LastPass::At(ago(25));
    assert!(found(&facts)[0].what.contains("nobody has tried since"));
    assert_eq!(rules(&facts), [Rule::BrokerRefused, Rule::HeadBlocks]);
}

#[test]
fn a_poisonous_head_is_named_before_a_worker_is_called_idle() {
    let mut facts = stalled();
    let bad = vec![Poison::Headers("is no JSON at line 1, column 2".to_owned())];
    facts.heads[0].next.as_mut().unwrap().poison = Some(bad);
    facts.blast = Some(Blast {
        outboxes: Tally::Exact(9),
        orders: Tally::Exact(7),
        value: "204.10".parse().ok(),
    });
    assert_eq!(rules(&facts), [Rule::PoisonHead, Rule::HeadBlocks]);
    let found = found(&facts);
    assert_eq!(found[0].about, Some(Subject::Message(88_190)));
    assert!(found[0].evidence.iter().any(|line| line.contains("before it can be recorded")));
    assert!(found[1].what.starts_with("9 outboxes wait behind"), "{found:?}");
    assert!(
        found[1].evidence.iter().any(|line| line.contains("7 orders, worth 204.10")),
        "{found:?}"
    );
}

/// The same with such a text at the head, whose last pass was so many minutes ago.
fn poisoned(poison: Poison, pass: Option<i64>) -> Facts {
    let mut facts = stalled();
    facts.heads[0].next.as_mut().unwrap().poison = Some(vec![poison]);
    facts.heads[0].pass =
        pass.map_or(LastPass::NoneCommitted, |minutes| LastPass::At(ago(minutes)));
    facts
}

fn nowhere() -> Poison {
    Poison::Destination { text: "nowhere".to_owned(), why: InvalidAddress::NoScheme }
}

fn headers() -> Poison {
    Poison::Headers("is no JSON at line 1, column 2".to_owned())
}

fn has(finding: &Finding, words: &str) -> bool {
    finding.evidence.iter().any(|line| line.contains(words))
}

#[test]
fn a_head_without_destination_blocks_nothing_and_hides_no_dead_worker() {
    let facts = poisoned(Poison::NoDestination, None);
    assert_eq!(rules(&facts), [Rule::WorkerIdle, Rule::PoisonHead]);
    let [idle, poison] = &found(&facts)[..] else { panic!() };
    assert_eq!((idle.severity, poison.severity), (Severity::Alert, Severity::Warning));
    assert!(has(poison, "lost without an error") && has(idle, "would be passed over"), "{idle:?}");
    assert!(!has(idle, "well-formed"), "{idle:?}");
    let away = Facts { broker: Reached::Unreachable("refused".to_owned()), ..facts.clone() };
    assert_eq!(rules(&away), [Rule::BrokerRefused, Rule::PoisonHead]);
    let mut refused = facts;
    refused.heads[0].pass = LastPass::At(now() - TimeDelta::seconds(9));
    assert_eq!(rules(&refused), [Rule::BrokerRefused, Rule::PoisonHead, Rule::HeadBlocks]);
    assert!(!has(&found(&refused)[0], "well-formed"), "{refused:?}");
}

#[test]
fn a_poison_explains_a_stall_only_as_long_as_somebody_tries() {
    let trying = [Rule::PoisonHead, Rule::HeadBlocks];
    assert_eq!(rules(&poisoned(nowhere(), Some(0))), trying);
    // Its attempts would leave their time: nobody has tried for long, or ever.
    for pass in [Some(25), None] {
        let facts = poisoned(nowhere(), pass);
        assert_eq!(rules(&facts), [Rule::WorkerIdle, Rule::PoisonHead, Rule::HeadBlocks]);
        assert!(has(&found(&facts)[0], "would have left its time in lock_id"), "{pass:?}");
    }
    // Those of broken headers leave none, so nobody is called idle.
    for pass in [Some(25), None] {
        let facts = poisoned(headers(), pass);
        assert_eq!(rules(&facts), trying);
        assert!(has(&found(&facts)[0], "whether a worker tries cannot be told"), "{pass:?}");
    }
}

#[test]
fn a_broker_that_is_away_is_told_beside_a_poison() {
    for (facts, words) in [
        (poisoned(nowhere(), Some(0)), "a worker tries at this time"),
        (poisoned(nowhere(), Some(25)), "no worker is seen to try"),
        (poisoned(headers(), None), "no worker is seen to try"),
    ] {
        let facts = Facts { broker: Reached::Unreachable("refused".to_owned()), ..facts };
        assert_eq!(rules(&facts), [Rule::BrokerRefused, Rule::PoisonHead, Rule::HeadBlocks]);
        assert!(has(&found(&facts)[0], words), "{:?}", found(&facts)[0]);
    }
}

#[test]
fn a_poison_that_younger_ones_pass_blocks_nothing() {
    let mut facts = poisoned(nowhere(), Some(1));
    facts.movement = Some(movement(20, Some(0)));
    let finding = only(&facts);
    assert_eq!((finding.rule, finding.severity), (Rule::PoisonHead, Severity::Alert));
    assert!(has(&finding, "younger outboxes leave meanwhile"), "{finding:?}");
}

#[test]
fn a_lock_on_a_poisoned_head_is_told_where_it_lasts() {
    let mut facts = poisoned(nowhere(), Some(0));
    facts.heads[0].lock = Lock::Held(Backend { since: Some(now()), ..backend() });
    assert_eq!(rules(&facts), [Rule::PoisonHead, Rule::HeadBlocks]);
    assert!(has(&found(&facts)[0], "backend 4711 holds its row at this moment"), "{facts:?}");
    facts.heads[0].lock = Lock::Held(backend());
    assert_eq!(rules(&facts), [Rule::PoisonHead, Rule::LockHolder, Rule::HeadBlocks]);
}

#[test]
fn our_own_relay_passes_over_a_poison() {
    let ours = |facts: Facts| Facts { managed: true, ..facts };
    // Nothing sound waits: nobody is called idle.
    let mut alone = ours(poisoned(headers(), None));
    alone.heads.truncate(1);
    let finding = only(&alone);
    assert_eq!((finding.rule, finding.severity), (Rule::PoisonHead, Severity::Alert));
    assert!(has(&finding, "delivers all others") && !has(&finding, "the service"), "{finding:?}");
    assert!(finding.next.contains("the relay reads it again"), "{finding:?}");
    // Nor where the next texts were not read, or the next is young.
    let mut unread = ours(poisoned(headers(), None));
    for head in &mut unread.heads[1..] {
        head.next.as_mut().unwrap().poison = None;
    }
    assert_eq!(rules(&unread), [Rule::PoisonHead]);
    let mut young = ours(poisoned(headers(), None));
    young.heads[1..].iter_mut().for_each(|head| head.created = now());
    assert_eq!(rules(&young), [Rule::PoisonHead]);
    // One that could leave does not: that is the relay's, and what waits is told with it.
    let mut facts = ours(poisoned(headers(), None));
    facts.blast = Some(Blast {
        outboxes: Tally::Exact(9),
        orders: Tally::Exact(7),
        value: "204.10".parse().ok(),
    });
    assert_eq!(rules(&facts), [Rule::WorkerIdle, Rule::PoisonHead]);
    let idle = &found(&facts)[0];
    assert_eq!(idle.about, Some(Subject::Message(88_191)));
    assert!(has(idle, "7 orders, worth 204.10") && has(idle, "open outbox …0001"), "{idle:?}");
    // Our relay holds what has no destination; it is not lost.
    let kept = found(&ours(poisoned(Poison::NoDestination, None)));
    let poison = kept.iter().find(|finding| finding.rule == Rule::PoisonHead).unwrap();
    assert_eq!(poison.severity, Severity::Alert);
    assert!(!has(poison, "lost"), "{poison:?}");
}

fn backend() -> Backend {
    Backend {
        pid: 4711,
        application: String::new(),
        state: Some("idle in transaction".to_owned()),
        since: Some(ago(12)),
        client: Some("10.0.0.7".to_owned()),
    }
}

#[test]
fn the_holder_of_the_lock_is_named() {
    let mut facts = stalled();
    facts.heads[0].lock = Lock::Held(backend());
    let found = found(&facts);
    assert_eq!(found[0].rule, Rule::LockHolder);
    assert_eq!(
        found[0].what,
        "outbox …0000 is held by backend 4711 (a nameless session, idle in transaction, in its transaction \
         for 12m 00s)"
    );
    assert!(found[0].next.starts_with("stop that process first"));
}

#[test]
fn a_held_head_while_younger_ones_leave() {
    let mut facts = stalled();
    facts.movement = Some(movement(20, Some(0)));
    assert_eq!(
        rules(&facts),
        [],
        "what left may have been older: a backlog that drains in its order"
    );
    facts.heads[0].pass = LastPass::At(ago(5));
    let failing = found(&facts);
    assert_eq!(failing[0].rule, Rule::HeldHead);
    assert!(failing[0].what.contains("its delivery fails"), "{failing:?}");
    assert_eq!(failing[0].severity, Severity::Warning, "younger ones leave: no stall");
    facts.heads[0].lock = Lock::Held(backend());
    let locked = found(&facts);
    assert_eq!((locked[0].rule, locked[0].severity), (Rule::HeldHead, Severity::Alert));
    assert_eq!(rules(&facts), [Rule::HeldHead], "what is younger leaves: it does not wait");
    assert!(
        locked[0].evidence.iter().any(|line| line.contains("younger outboxes leave")),
        "{locked:?}"
    );
}

#[test]
fn what_is_recorded_of_what_left_tells_the_younger_from_the_older() {
    let left = |created| Facts {
        last_delivered: Some(now()),
        youngest_left: Some(Left { created: ago(created), sequence: None }),
        ..stalled()
    };
    assert_eq!(rules(&left(31)), []);
    assert_eq!(rules(&left(29)), [Rule::HeldHead]);
    let drawn = |sequence| {
        let mut facts = left(29);
        facts.youngest_left =
            facts.youngest_left.map(|left| Left { sequence: Some(sequence), ..left });
        facts
    };
    let next = left(29).heads[0].next.as_ref().map_or(0, |next| next.sequence);
    assert_eq!(rules(&drawn(next + 1)), [Rule::HeldHead]);
    // It came when the other had left.
    assert_eq!(rules(&drawn(next - 1)), []);
    // A worker holds the head for a moment while it drains; somebody who holds it for long is told.
    let mut facts = left(31);
    facts.heads[0].lock = Lock::Held(Backend { since: Some(now()), ..backend() });
    assert_eq!(rules(&facts), []);
    facts.heads[0].lock = Lock::Held(backend());
    assert_eq!(rules(&facts), [Rule::LockHolder]);
    // A large outbox goes out pass by pass.
    let mut large = stalled();
    large.movement = Some(movement(20, Some(0)));
    large.heads[0].pass = LastPass::At(now() - TimeDelta::seconds(3));
    large.heads[0].cursor = Some(88_100);
    assert_eq!(rules(&large), []);
}

#[test]
fn a_younger_one_that_was_begun_long_ago_does_not_leave() {
    let mut facts = stalled();
    facts.heads[1].cursor = Some(88_191);
    facts.heads[1].pass = LastPass::At(ago(25));
    assert_eq!(rules(&facts), [Rule::WorkerIdle]);
    facts.heads[1].pass = LastPass::At(now() - TimeDelta::seconds(9));
    assert_eq!(rules(&facts), [Rule::HeldHead]);
}

#[test]
fn a_backlog_above_the_limit_is_an_alert() {
    let facts = Facts { bus: Tally::Exact(1_001), ..Facts::nothing(now()) };
    let finding = only(&facts);
    assert_eq!((finding.rule, finding.severity), (Rule::Backlog, Severity::Alert));
    assert!(is_alert(&found(&facts)));
    let facts = Facts { bus: Tally::Exact(1_000), ..facts };
    assert_eq!(rules(&facts), []);
}

#[test]
fn what_somebody_holds_is_told_and_is_no_fault() {
    let one = |number| Paused {
        outbox: OutboxId(Uuid::from_u128(number)),
        by: "mai".to_owned(),
        since: ago(5),
    };
    let facts = Facts { paused: vec![one(0xb3), one(0xb4)], ..Facts::nothing(now()) };
    let finding = only(&facts);
    assert_eq!((finding.rule, finding.severity), (Rule::PausedOutbox, Severity::Note));
    assert!(finding.what.starts_with("2 outboxes are held by hand"), "{finding:?}");
    assert_eq!(finding.evidence[0], "outbox …00b3 by mai for 5m 00s");
    assert_eq!(finding.about, Some(Subject::Outbox(OutboxId(Uuid::from_u128(0xb3)))));
    assert!(!is_alert(&found(&facts)));
}

#[test]
fn orphans_expired_and_undeliverable_messages_are_told() {
    let facts = Facts {
        orphans: Tally::Exact(1),
        expired: Tally::Exact(2),
        undeliverable: Tally::AtLeast(3),
        ..Facts::nothing(now())
    };
    assert_eq!(rules(&facts), [Rule::Undeliverable, Rule::Orphans, Rule::Expired]);
    assert!(found(&facts)[1].what.starts_with("1 message without an owner"));
    for verb in ["messages quarantine SEQ", "messages requeue COPY"] {
        assert!(found(&facts)[1].next.contains(verb), "{verb}");
    }
    assert!(!is_alert(&found(&facts)));
}

fn half(passes: i32) -> HalfDone {
    HalfDone {
        message: MessageId(Uuid::from_u128(0xabcd)),
        consumer: ConsumerId(Uuid::from_u128(1)),
        consumed: ago(5),
        passes,
        pending: 1,
        without_destination: false,
        destinations: vec![],
        lock: Lock::Free,
        inbound: Inbound::Unknown,
    }
}

fn with_half(row: HalfDone) -> Facts {
    let inbox = Inbox { half_done: Tally::Exact(1), halves: vec![row], ..Inbox::default() };
    Facts { inbox, ..Facts::nothing(now()) }
}

#[test]
fn a_half_done_consumer_waits_unless_nothing_can_come_again() {
    let waits = only(&with_half(half(1)));
    assert_eq!((waits.rule, waits.severity), (Rule::HalfDone, Severity::Warning));
    assert!(waits.what.contains("wait for redelivery"), "{waits:?}");
    let gone = HalfDone { inbound: Inbound::Gone, ..half(1) };
    let up = |row: HalfDone| Facts { broker: Reached::Answers, ..with_half(row) };
    let dangerous = only(&up(gone.clone()));
    assert_eq!(dangerous.severity, Severity::Alert);
    assert!(dangerous.what.contains("never be redelivered"), "{dangerous:?}");
    // Each condition alone takes the danger away.
    let down =
        Facts { broker: Reached::Unreachable("refused".to_owned()), ..with_half(gone.clone()) };
    assert_eq!(rules(&down), [Rule::BrokerRefused, Rule::HalfDone]);
    assert_eq!(found(&down)[1].severity, Severity::Warning);
    for facts in [
        up(HalfDone { inbound: Inbound::Waits, ..gone.clone() }),
        up(HalfDone { lock: Lock::Unknown, ..gone.clone() }),
        up(HalfDone { lock: Lock::Held(backend()), ..gone.clone() }),
        up(HalfDone { pending: 0, ..gone.clone() }),
    ] {
        assert_eq!(only(&facts).severity, Severity::Warning, "{facts:?}");
    }
    assert_eq!(rules(&up(HalfDone { consumed: now(), ..gone })), []);
}

#[test]
fn half_done_rows_that_were_not_looked_into_are_said() {
    let gone = HalfDone { inbound: Inbound::Gone, ..half(1) };
    let mut facts = Facts { broker: Reached::Answers, ..with_half(gone) };
    assert!(!has(&only(&facts), "looked into"));
    facts.inbox.half_done = Tally::Exact(57);
    let finding = only(&facts);
    assert!(
        finding.what.contains("of the 1 looked into 1 will never be redelivered"),
        "{finding:?}"
    );
    assert!(finding.what.contains("at least 1 message of theirs"), "{finding:?}");
    assert!(has(&finding, "of the others nothing is known"), "{finding:?}");
}

#[test]
fn endless_passes_are_told() {
    let finding = only(&with_half(half(2_300)));
    assert!(finding.what.contains("2300 passes"), "{finding:?}");
    let without_destination = only(&with_half(HalfDone { without_destination: true, ..half(3) }));
    assert_eq!(without_destination.severity, Severity::Alert);
}

#[test]
fn failing_consumers_are_told_by_name() {
    let consumers = vec![ConsumerFacts {
        consumer: ConsumerId(Uuid::nil()),
        name: "DeleteBasketFailedCommandHandler".to_owned(),
        rows: 3,
        done: 0,
        failing: 3,
        half_done: 0,
        duplicates_exact: 0,
        duplicates_estimated: 0,
        recent_done: 0,
        recent_duplicates: 0,
        latency: None,
    }];
    let inbox = Inbox {
        consumers,
        failing: Tally::Exact(3),
        oldest_failing: Some(ago(61)),
        ..Inbox::default()
    };
    let finding = only(&Facts { inbox, ..Facts::nothing(now()) });
    assert_eq!(finding.rule, Rule::Failing);
    assert!(finding.evidence[1].contains("DeleteBasketFailedCommandHandler 3"), "{finding:?}");
}

#[test]
fn many_second_deliveries_in_an_hour_are_told_and_a_few_are_not() {
    let with = |done, again| {
        let one = ConsumerFacts {
            consumer: ConsumerId(Uuid::nil()),
            name: "DeleteBasketCompleteCommandHandler".to_owned(),
            rows: 5_000,
            done: 5_000,
            failing: 0,
            half_done: 0,
            duplicates_exact: 300,
            duplicates_estimated: 0,
            recent_done: done,
            recent_duplicates: again,
            latency: None,
        };
        let inbox = Inbox { consumers: vec![one], ..Inbox::default() };
        Facts { inbox, ..Facts::nothing(now()) }
    };
    let finding = only(&with(90, 10));
    assert_eq!((finding.rule, finding.severity), (Rule::Duplicates, Severity::Alert));
    assert!(finding.what.starts_with("10 of the 100 deliveries"), "{finding:?}");
    assert!(finding.evidence[1].contains("DeleteBasketCompleteCommandHandler 10"), "{finding:?}");
    // One percent less, and too few to mean anything.
    assert_eq!(rules(&with(91, 10)), []);
    assert_eq!(rules(&with(1, 9)), []);
}

#[test]
fn an_unknown_lock_state_is_said() {
    let inbox = Inbox {
        failing: Tally::Exact(3),
        failing_unknown: 2,
        oldest_failing: Some(ago(61)),
        ..Inbox::default()
    };
    let finding = only(&Facts { inbox, ..Facts::nothing(now()) });
    let last = finding.evidence.last().unwrap();
    assert!(last.starts_with("of 2 messages the lock state is unknown"), "{finding:?}");
}

#[test]
fn a_blocked_clean_up_is_told_on_attached_databases_only() {
    let inbox = Inbox {
        blocking_cleanup: Tally::Exact(1),
        past_window: Tally::Exact(4),
        ..Inbox::default()
    };
    let facts = Facts { inbox, ..Facts::nothing(now()) };
    assert_eq!(only(&facts).rule, Rule::CleanUpBlocked);
    assert_eq!(rules(&Facts { managed: true, ..facts }), []);
}

#[test]
fn clocks_that_differ_are_told() {
    let ahead = Facts { newest: Some(now() + TimeDelta::seconds(40)), ..Facts::nothing(now()) };
    assert!(only(&ahead).what.contains("application's clock is 40s ahead"));
    let ours = Facts { our_clock: Some(ago(3)), ..Facts::nothing(now()) };
    assert!(only(&ours).what.contains("3m 00s apart"));
}

#[test]
fn an_outbox_that_nobody_ever_used_while_events_grow_is_bypassed() {
    let written =
        Written { inserted: Some(0), drawn: Some(0), events: vec![ago(1)], ..Written::default() };
    let facts = Facts { written: written.clone(), ..Facts::nothing(now()) };
    let finding = only(&facts);
    assert_eq!(finding.rule, Rule::Bypassed);
    assert!(has(&finding, "the newest of these events is of 2026-11-22 14:01:11Z"), "{finding:?}");
    let seconds = |seconds| vec![now() - TimeDelta::seconds(seconds)];
    for written in [
        Written { inserted: Some(1), ..written.clone() },
        Written { drawn: Some(3), ..written.clone() },
        Written { events: vec![], ..written.clone() },
        // Its message may be written at this moment; and what was long ago says nothing of today.
        Written { events: seconds(3), ..written.clone() },
        Written { events: seconds(90_000), ..written },
    ] {
        assert_eq!(rules(&Facts { written: written.clone(), ..facts.clone() }), [], "{written:?}");
    }
}

#[test]
fn an_outbox_that_is_no_longer_used_is_bypassed() {
    let with = |events: Vec<DateTime<Utc>>, drawn, newest: Option<i64>, movement| Facts {
        written: Written {
            inserted: Some(40),
            drawn,
            newest: newest.map(|number| (number, ago(30))),
            put_back: 0,
            events,
        },
        newest: newest.map(|_| ago(30)),
        movement,
        ..Facts::nothing(now())
    };
    // No number was drawn after the newest message, which is older than two of the events.
    let later = vec![ago(2), ago(3), ago(31)];
    let finding = only(&with(later.clone(), Some(40), Some(40), None));
    assert_eq!((finding.rule, finding.severity), (Rule::Bypassed, Severity::Warning));
    assert!(
        finding.what.contains("2 events were written since 2026-11-22 13:32:11Z, but no message"),
        "{finding:?}"
    );
    assert!(has(&finding, "seq 40, drew the last number"), "{finding:?}");
    // Later ones came and were deleted as they left; or nobody may see the numbers.
    assert_eq!(rules(&with(later.clone(), Some(41), Some(40), None)), []);
    assert_eq!(rules(&with(later.clone(), None, Some(40), None)), []);
    // Two that an operator put back drew numbers, too.
    let mut put_back = with(later.clone(), Some(42), Some(40), None);
    assert_eq!(rules(&put_back), []);
    put_back.written.put_back = 2;
    assert!(has(&only(&put_back), "but for 2 messages that operators put back"));
    // A message of the same commit has a time of its own.
    let same = vec![ago(30) + TimeDelta::seconds(4)];
    assert_eq!(rules(&with(same, Some(40), Some(40), None)), []);
    // Where no row is left, our own looks tell.
    let looked = |since, drawn| Some(Movement { drawn, ..movement(since, None) });
    let none_came = only(&with(later.clone(), Some(41), None, looked(20, Some(0))));
    assert!(none_came.what.contains("2 events"), "{none_came:?}");
    assert!(
        has(&none_came, "no message drew a number since 2026-11-22 13:57:11Z"),
        "{none_came:?}"
    );
    for (since, drawn) in [(20, Some(2)), (20, None), (1, Some(0))] {
        let facts = with(later.clone(), Some(41), None, looked(since, drawn));
        assert_eq!(rules(&facts), [], "{since} {drawn:?}");
    }
}

#[test]
fn missing_indexes_are_told() {
    let missing = vec!["outbox_state(created)".to_owned()];
    let finding = only(&Facts { missing_indexes: missing, ..Facts::nothing(now()) });
    assert!(finding.what.ends_with("outbox_state(created)"), "{finding:?}");
}

#[test]
fn a_stuttering_drain_is_no_fault() {
    let mut facts = stalled();
    facts.heads = vec![head(1, 0)];
    facts.movement = Some(Movement { stutters: true, ..movement(3, Some(0)) });
    let finding = only(&facts);
    assert_eq!((finding.rule, finding.severity), (Rule::Stuttering, Severity::Note));
}

#[test]
fn what_the_relay_beside_us_tried_is_evidence_of_the_head() {
    let mut facts = stalled();
    let head = facts.heads[0].clone();
    let tried = |outbox, attempts| Tried {
        outbox: OutboxKey::Bus(outbox),
        sequence: head.next.as_ref().map_or(0, |next| next.sequence),
        why: "no queue is bound to its exchange".to_owned(),
        since: facts.now - TimeDelta::minutes(2),
        attempts,
    };
    let told = |found: &[Finding]| -> Vec<String> {
        let lines = found.iter().flat_map(|finding| finding.evidence.iter());
        lines.filter(|line| line.contains("relay")).cloned().collect()
    };
    let other = Tried { sequence: 7, ..tried(OutboxId(Uuid::from_u128(0xb7)), 3) };
    facts.tried = vec![tried(head.outbox, 1), other];
    let told = told(&found(&facts));
    assert!(told[0].starts_with("the relay beside this console tried it once since"), "{told:?}");
    assert_eq!(told[1], "the relay holds 1 more, outbox …00b7: no queue is bound to its exchange");
    assert_eq!(told.len(), 2);
}
