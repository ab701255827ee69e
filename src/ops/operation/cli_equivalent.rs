//! The command line that does the same as a plan.

use super::{
    plan::{Needed, PlanRequest},
    value::Operation,
};
use crate::{
    domain::{decide::Command, id::Version},
    ops::policy::Policy,
};

impl PlanRequest {
    /// The command line that does the same here: where the context's name has to be typed, `--yes` runs nothing.
    /// `again`: it may do work a second time.
    pub(super) fn cli_equivalent(
        &self,
        version: Option<Version>,
        policy: &Policy,
        again: bool,
    ) -> String {
        let (spec, needed) = (self.spec(), Needed::new(self.spec(), policy, again));
        let mut words = vec![format!("orderscope {}", spec.verb)];
        words.extend(self.operation.options().iter().map(|option| quoted(option)));
        let mut say = |option: &str, value: &str| words.push(format!("{option} {}", quoted(value)));
        if let Some(version) = version.filter(|version| version.0 > 0) {
            say("--expect-version", &version.to_string());
        }
        match &self.operation {
            // Its reason is its own.
            Operation::Order(Command::CancelOrder { reason, .. }) => say("--reason", reason),
            _ => {
                if let Some(reason) = self.reason.as_deref() {
                    say("--reason", reason);
                }
            }
        }
        if needed.typed {
            say("--confirm", &needed.phrase);
        } else {
            words.push("--yes".to_owned());
        }
        words.join(" ")
    }
}

/// For a POSIX shell; control characters, which a terminal would act on, as spaces.
#[must_use]
pub fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let shown: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("'{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        id::OrderId,
        outbox_action::{OutboxAction, Repair},
    };

    fn line(operation: Operation, reason: Option<&str>, version: i64, policy: &Policy) -> String {
        let reason = reason.map(ToOwned::to_owned);
        let request = PlanRequest { id: Uuid::nil(), operation, reason, expect: None };
        request.cli_equivalent(Some(Version(version)), policy, false)
    }

    #[test]
    fn a_command_line_survives_the_shell_and_says_what_is_typed() {
        let id = OrderId(Uuid::from_u128(0x8c41));
        let cancel = Command::CancelOrder { id, reason: "it's\tlate; $(rm)".to_owned() };
        let repair = Repair {
            destination: Some("rabbitmq://h/it's".to_owned()),
            body: Some("{}".to_owned()),
            ..Repair::default()
        };
        let repair = OutboxAction::Repair { sequence: 89, repair };
        let typed = Policy { context: "prod".to_owned(), typed: true, ..Policy::default() };
        for (policy, [cancels, repairs]) in [
            (Policy::default(), ["--yes", "--yes"]),
            (typed, ["--confirm 'CANCEL prod'", "--confirm 'REPAIR prod'"]),
        ] {
            assert_eq!(
                line(Operation::Order(cancel.clone()), None, 1, &policy),
                format!(
                    "orderscope order cancel {id} --expect-version 1 --reason 'it'\\''s late; $(rm)' {cancels}"
                )
            );
            assert_eq!(
                line(Operation::Outbox(repair.clone()), Some("INC-7"), 0, &policy),
                format!(
                    "orderscope messages repair 89 --destination 'rabbitmq://h/it'\\''s' --body FILE \
                     --reason INC-7 {repairs}"
                )
            );
        }
    }
}
