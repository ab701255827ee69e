//! Progress of work while it goes on, for people: nothing twice, and a count not at every step.

use std::io::Write;

use crate::{
    domain::text::clean,
    ops::delivery::{Hindrance, Warning},
};

/// Knows what was told until now.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    hindered: Vec<Hindrance>,
    warnings: Vec<Warning>,
}

impl Reporter {
    /// Tells what is new on standard error.
    pub(super) fn tell(&mut self, hindered: &[Hindrance], warnings: &[Warning]) {
        lines(self.news(hindered, warnings));
    }

    /// What hinders and what is counted: when it begins, and whenever its number has doubled since it was told.
    fn news(&mut self, hindered: &[Hindrance], warnings: &[Warning]) -> Vec<String> {
        let mut out = vec![];
        // What is over is told again when it begins again.
        self.hindered.retain(|told| hindered.iter().any(|one| one.why == told.why));
        for one in hindered {
            match self.hindered.iter_mut().find(|told| told.why == one.why) {
                Some(told) if one.count < told.count.saturating_mul(2) => continue,
                Some(told) => told.clone_from(one),
                None => self.hindered.push(one.clone()),
            }
            out.push(one.to_string());
        }
        for warning in warnings {
            let told = self.warnings.iter_mut().find(|told| told.what == warning.what);
            match told {
                Some(told) if warning.count < told.count.saturating_mul(2) => continue,
                Some(told) => *told = *warning,
                None => self.warnings.push(*warning),
            }
            out.push(format!("{warning} so far"));
        }
        out
    }
}

/// Tells these on standard error. Nobody may be listening any more; the work goes on.
pub(super) fn lines<T: ToString>(lines: impl IntoIterator<Item = T>) {
    for line in lines {
        let _ = writeln!(std::io::stderr(), "{}", clean(&line.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{id::OutboxId, outbox::OutboxKey, samples::at},
        ops::delivery::{BlockedOutbox, Stats},
    };

    #[test]
    fn nothing_is_told_twice_and_a_count_when_it_has_doubled() {
        let mut reporter = Reporter::default();
        let returned = |count| [Warning { count, what: "found no subscriber" }];
        let held = |count| {
            let one = |number| BlockedOutbox {
                outbox: OutboxKey::Bus(OutboxId(Uuid::from_u128(number))),
                sequence: 7,
                why: "no destination".to_owned(),
                poison: true,
                since: at("2026-11-22T14:00:00Z"),
                attempts: 1,
            };
            Stats { held: (1..=count).map(one).collect(), ..Stats::default() }.hindrances()
        };
        assert!(reporter.news(&held(1), &[])[0].ends_with("is held at 7: no destination"));
        let first = reporter.news(&held(1), &returned(3));
        assert_eq!(first, ["3 messages found no subscriber so far"]);
        assert!(reporter.news(&held(1), &returned(5)).is_empty());
        // Hundreds for the same reason are one line.
        let many = reporter.news(&held(700), &returned(5));
        assert!(many[0].starts_with("700 outboxes are held, first outbox "), "{many:?}");
        assert!(many[0].ends_with(" at 7: no destination") && many.len() == 1, "{many:?}");
        assert!(reporter.news(&held(900), &returned(5)).is_empty());
        assert_eq!(reporter.news(&[], &returned(6)), ["6 messages found no subscriber so far"]);
        // It was delivered and is held once more.
        assert_eq!(reporter.news(&held(1), &returned(6)).len(), 1);
    }
}
