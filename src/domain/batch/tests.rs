//! Tests of the pure part of bulk operations.

use std::{num::NonZeroU32, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Limiter, Outcome, Pace, Refusal, Size, State, Step, StopRule, offered};

const STEPS: [Step; 8] = [
    Step::Frozen { approval: true },
    Step::Frozen { approval: false },
    Step::Approve,
    Step::Run,
    Step::Pause,
    Step::Stop,
    Step::Finish,
    Step::Cancel,
];

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_000_000_000 + millis).unwrap()
}

fn rate(rate: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(rate)
}

#[test]
fn every_state_is_read_from_its_name() {
    for state in State::ALL {
        assert_eq!(State::named(state.name()), Some(state));
    }
    assert_eq!(State::named("asleep"), None);
}

#[test]
fn what_may_follow_what() {
    use State as S;
    let approval = Step::Frozen { approval: true };
    assert_eq!(S::Freezing.after(approval), Ok(S::Waiting));
    assert_eq!(S::Waiting.after(Step::Run), Err(Refusal::NotApproved));
    assert_eq!(S::Waiting.after(Step::Approve), Ok(S::Ready));
    assert_eq!(S::Ready.after(Step::Approve), Err(Refusal::NeedsNoApproval));
    assert_eq!(S::Ready.after(Step::Pause), Err(Refusal::NotRunning));
    assert_eq!(S::Running.after(Step::Run), Ok(S::Running), "whoever ran it was killed");
    for state in [S::Ready, S::Paused, S::Stopped] {
        assert_eq!(state.after(Step::Run), Ok(S::Running));
    }
    for state in S::ALL {
        if state != S::Freezing && !state.is_over() {
            assert_eq!(state.after(approval), Err(Refusal::Frozen));
        }
    }
    assert_eq!(S::Freezing.after(Step::Run), Err(Refusal::Incomplete));
}

proptest! {
    #[test]
    fn what_is_over_stays_so_and_everything_else_can_be_cancelled(
        steps in prop::collection::vec(prop::sample::select(STEPS.to_vec()), 0..40),
    ) {
        let mut state = State::Freezing;
        let mut approved = true;
        for step in steps {
            match state.after(step) {
                Ok(next) => {
                    prop_assert!(!state.is_over());
                    if step == (Step::Frozen { approval: true }) {
                        approved = false;
                    }
                    approved |= step == Step::Approve;
                    prop_assert!(approved || next != State::Running, "run without approval");
                    state = next;
                }
                Err(Refusal::Over(over)) => prop_assert_eq!(over, state),
                Err(_) => prop_assert!(step != Step::Cancel),
            }
        }
    }

    #[test]
    fn every_item_is_offered_once_and_the_ramp_is_climbed(
        items in 0_u64..3_000,
        sizes in prop::collection::vec(0_u64..600, 1..20),
    ) {
        let (mut position, mut ends) = (0, vec![]);
        let mut sizes = sizes.into_iter().cycle();
        while position < items {
            let most = sizes.next().unwrap();
            let batch = offered(position, items, most);
            prop_assert!(batch > 0 && batch <= most.max(1));
            position += batch;
            ends.push(position);
        }
        prop_assert_eq!(position, items);
        prop_assert_eq!(offered(items, items, 500), 0);
        for end in [1, 6, 31] {
            prop_assert!(items < end || ends.contains(&end), "{ends:?}");
        }
    }

    #[test]
    fn a_limited_rate_is_kept(
        per_second in 1_u32..200,
        batches in prop::collection::vec((1_u64..200, 0_i64..3_000), 2..30),
    ) {
        let mut limiter = Limiter::new(rate(per_second));
        let (mut now, mut sent, start) = (at(0), 0_u64, at(0));
        for (items, work) in batches {
            let items = items.min(limiter.most());
            let wait = limiter.wait(now);
            prop_assert!(wait <= TimeDelta::seconds(1));
            now += wait;
            // What was sent before this batch took at least as long as the rate says.
            let least = sent * 1_000 / u64::from(per_second);
            let rounding = 30;
            prop_assert!((now - start).num_milliseconds() + rounding >= least.cast_signed());
            limiter.count(items, now);
            sent += items;
            now += TimeDelta::milliseconds(work);
        }
    }

    #[test]
    fn a_size_stays_within_its_bounds(steps in prop::collection::vec(0_u64..4_000, 0..60)) {
        let limit = Duration::from_secs(2);
        let mut size = Size::default();
        for millis in steps {
            let took = Duration::from_millis(millis);
            let next = if took >= limit { size.smaller() } else { Some(size.after(took, limit)) };
            let Some(next) = next else {
                prop_assert_eq!(size.items(), 1);
                break;
            };
            prop_assert!((1..=500).contains(&next.items()));
            prop_assert!(took < limit / 3 || next <= size || next.items() == 1);
            size = next;
        }
    }
}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.items().partial_cmp(&other.items())
    }
}

#[test]
fn without_a_rate_nobody_waits_and_a_clock_set_back_costs_no_more_than_a_batch() {
    let mut free = Limiter::new(None);
    free.count(500, at(0));
    assert_eq!(free.wait(at(0)), TimeDelta::zero());
    let mut limiter = Limiter::new(rate(50));
    assert_eq!(limiter.wait(at(0)), TimeDelta::zero());
    limiter.count(25, at(0));
    assert_eq!(limiter.wait(at(200)), TimeDelta::milliseconds(300));
    assert_eq!(limiter.wait(at(-3_600_000)), TimeDelta::milliseconds(500));
    assert_eq!(limiter.wait(at(3_600_000)), TimeDelta::zero());
}

#[test]
fn the_time_left_follows_the_last_batches() {
    let mut pace = Pace::default();
    assert_eq!(pace.estimate(100), None);
    pace.add(at(0), 0);
    assert_eq!(pace.estimate(100), None, "one point is no rate");
    // Slow at first, then a hundred items a second.
    pace.add(at(60_000), 1);
    for step in 1..=40_i64 {
        pace.add(at(60_000 + step * 1_000), step.unsigned_abs() * 100);
    }
    let estimate = pace.estimate(6_000).unwrap();
    assert_eq!((estimate.per_minute, estimate.left), (6_000, TimeDelta::seconds(60)));
    let mut still = Pace::default();
    still.add(at(0), 5);
    still.add(at(9_000), 5);
    assert_eq!(still.estimate(100), None);
}

#[test]
fn the_stop_rule_counts_what_nobody_has_accepted() {
    let first = StopRule::FIRST;
    assert_eq!(first.broken(0, 0), None);
    assert_eq!(first.broken(1, 0).unwrap(), "1 items failed: it stops at the first");
    assert_eq!(first.broken(3, 3), None);
    let some = StopRule { failures: 2 };
    assert_eq!((some.broken(2, 0), some.broken(5, 3)), (None, None));
    assert!(some.broken(6, 3).unwrap().contains("after more than 2"));
}

#[test]
fn an_outcome_has_a_name_and_perhaps_a_reason() {
    let why = || "another session works on it".to_owned();
    for (outcome, name, told) in [
        (Outcome::Done, "done", None),
        (Outcome::Skipped(why()), "skipped", Some(why())),
        (Outcome::Failed(why()), "failed", Some(why())),
    ] {
        assert_eq!((outcome.name(), outcome.told().map(ToOwned::to_owned)), (name, told));
    }
}
