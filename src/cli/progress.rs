//! Progress of work while it goes on, for people: nothing twice, and a count not at every step.

use std::io::Write;

use crate::{domain::text::clean, ops::delivery::Warning};

/// Knows what was told until now.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    lines: Vec<String>,
    warnings: Vec<Warning>,
}

impl Reporter {
    /// Tells what is new on standard error.
    pub(super) fn tell(&mut self, hindered: Vec<String>, warnings: &[Warning]) {
        lines(self.news(hindered, warnings));
    }

    /// What hinders, when that changes; a count when it begins and whenever it has doubled since it was told.
    fn news(&mut self, hindered: Vec<String>, warnings: &[Warning]) -> Vec<String> {
        let new = hindered.iter().filter(|line| !self.lines.contains(line)).cloned();
        let mut out: Vec<_> = new.collect();
        self.lines = hindered;
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
    use super::*;

    #[test]
    fn nothing_is_told_twice_and_a_count_when_it_has_doubled() {
        let mut reporter = Reporter::default();
        let returned = |count| [Warning { count, what: "found no subscriber" }];
        let held = || vec!["outbox 7 is held".to_owned()];
        assert_eq!(reporter.news(held(), &[]), held());
        let first = reporter.news(held(), &returned(3));
        assert_eq!(first, ["3 messages found no subscriber so far"]);
        assert!(reporter.news(held(), &returned(5)).is_empty());
        assert_eq!(reporter.news(vec![], &returned(6)), ["6 messages found no subscriber so far"]);
        // It was delivered and is held once more.
        assert_eq!(reporter.news(held(), &returned(6)), held());
    }
}
