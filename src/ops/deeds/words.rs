//! What is said about a deed: before it runs, on the command line, and in its record.

use std::fmt::Write;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Intent, Request};
use crate::{
    domain::{
        id::OutboxId,
        outbox_action::{Name, OutboxAction, Source},
    },
    ops::{command::quoted, policy::Policy},
};

/// `quarantine message 88190`
#[must_use]
pub fn title(deed: &OutboxAction) -> String {
    match deed {
        OutboxAction::Hold { outbox } => format!("hold outbox {}", outbox.short()),
        OutboxAction::Release { outbox } => format!("release outbox {}", outbox.short()),
        OutboxAction::Repair { sequence, .. } => format!("repair message {sequence}"),
        OutboxAction::Quarantine { sequence } => format!("quarantine message {sequence}"),
        OutboxAction::Requeue { source: Source::Kept(number), name: Name::Same } => {
            format!("requeue copy {number}")
        }
        OutboxAction::Requeue { source: Source::Kept(number), name: Name::New(_) } => {
            format!("requeue copy {number} under another id")
        }
        OutboxAction::Requeue { source: Source::Given(whole), .. } => {
            format!("requeue message {}", whole.message.short())
        }
        OutboxAction::PurgeOutbox { .. } => "purge delivered outboxes".to_owned(),
        OutboxAction::PurgeInbox { .. } => "purge the inbox".to_owned(),
        OutboxAction::RemoveFailed { .. } => "remove failed inbox rows".to_owned(),
    }
}

/// What is typed to run it.
pub(super) const fn word(deed: &OutboxAction) -> &'static str {
    match deed {
        OutboxAction::Hold { .. } => "HOLD",
        OutboxAction::Release { .. } => "RELEASE",
        OutboxAction::Repair { .. } => "REPAIR",
        OutboxAction::Quarantine { .. } => "QUARANTINE",
        OutboxAction::Requeue { .. } => "REQUEUE",
        OutboxAction::PurgeOutbox { .. } | OutboxAction::PurgeInbox { .. } => "PURGE",
        OutboxAction::RemoveFailed { .. } => "REMOVE",
    }
}

/// How it is taken back, in a sentence.
pub(super) const fn undo(deed: &OutboxAction) -> &'static str {
    match deed {
        OutboxAction::Hold { .. } => "release the outbox",
        OutboxAction::Release { .. } => "hold the outbox again, as far as it has not left by then",
        OutboxAction::Repair { .. } => "repair it again: the message as it was is kept",
        OutboxAction::Quarantine { .. } => "requeue the copy: it goes to the end of the line",
        OutboxAction::Requeue { .. } => "quarantine it again, until it has left; none once sent",
        OutboxAction::PurgeOutbox { .. } => {
            "none; the messages are kept and can be requeued one by one"
        }
        OutboxAction::PurgeInbox { .. } | OutboxAction::RemoveFailed { .. } => {
            "none; the audit record has how many there were, from when to when, and a hash: a message that comes \
             again makes its row anew"
        }
    }
}

/// The command line that does the same here: where the policy wants the context's name typed, `--yes` runs
/// nothing.
pub(super) fn cli_equivalent(request: &Request, deed: &OutboxAction, policy: &Policy) -> String {
    let mut line = String::from("orderscope ");
    // Writing to a string cannot fail.
    let _ = match deed {
        OutboxAction::Hold { outbox } => write!(line, "messages hold {outbox}"),
        OutboxAction::Release { outbox } => write!(line, "messages release {outbox}"),
        OutboxAction::Repair { sequence, repair } => {
            let _ = write!(line, "messages repair {sequence}");
            for (option, text) in [
                ("--destination", &repair.destination),
                ("--headers", &repair.headers),
                ("--properties", &repair.properties),
            ] {
                if let Some(text) = text {
                    let _ = write!(line, " {option} {}", quoted(text));
                }
            }
            // The text may be long and personal: it comes from a file.
            if repair.body.is_some() { write!(line, " --body FILE") } else { Ok(()) }
        }
        OutboxAction::Quarantine { sequence } => write!(line, "messages quarantine {sequence}"),
        OutboxAction::Requeue { source, name } => {
            let _ = match source {
                Source::Kept(number) => write!(line, "messages requeue {number}"),
                Source::Given(_) => write!(line, "messages requeue --json FILE"),
            };
            if *name == Name::Same { Ok(()) } else { write!(line, " --new-id") }
        }
        OutboxAction::PurgeOutbox { before } => {
            write!(line, "messages purge --before {}", time(*before))
        }
        OutboxAction::PurgeInbox { before } => {
            write!(line, "inbox purge --before {}", time(*before))
        }
        OutboxAction::RemoveFailed { before } => {
            write!(line, "inbox remove-failed --before {}", time(*before))
        }
    };
    if let Some(reason) = request.reason.as_deref() {
        let _ = write!(line, " --reason {}", quoted(reason));
    }
    if policy.typed {
        return line + " --confirm " + &quoted(&policy.phrase(word(deed)));
    }
    line + " --yes"
}

fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What takes a deed back, as its record keeps it.
pub(super) fn recorded(reverse: &Intent) -> Value {
    match reverse {
        Intent::Messages(OutboxAction::Requeue { source: Source::Kept(number), .. }) => {
            json!({ "requeue": number })
        }
        Intent::Messages(OutboxAction::Quarantine { sequence }) => {
            json!({ "quarantine": sequence })
        }
        Intent::Messages(OutboxAction::Hold { outbox }) => json!({ "hold": outbox }),
        Intent::Messages(OutboxAction::Release { outbox }) => json!({ "release": outbox }),
        _ => Value::Null,
    }
}

/// The same, read back.
pub(super) fn read(recorded: &Value) -> Option<Intent> {
    let (name, value) = recorded.as_object()?.iter().next()?;
    let outbox = || Some(OutboxId(Uuid::try_parse(value.as_str()?).ok()?));
    Some(Intent::Messages(match name.as_str() {
        "requeue" => {
            OutboxAction::Requeue { source: Source::Kept(value.as_i64()?), name: Name::Same }
        }
        "quarantine" => OutboxAction::Quarantine { sequence: value.as_i64()? },
        "hold" => OutboxAction::Hold { outbox: outbox()? },
        "release" => OutboxAction::Release { outbox: outbox()? },
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbox_action::Repair;

    #[test]
    fn a_twin_survives_the_shell_and_says_what_is_typed() {
        let repair = Repair {
            destination: Some("rabbitmq://h/it's".to_owned()),
            body: Some("{}".to_owned()),
            ..Repair::default()
        };
        let deed = OutboxAction::Repair { sequence: 89, repair };
        let request = Request {
            id: Uuid::nil(),
            intent: Intent::Messages(deed.clone()),
            reason: Some("INC-7".to_owned()),
            expect: None,
        };
        let typed = Policy { context: "prod".to_owned(), typed: true, ..Policy::default() };
        for (policy, end) in [(Policy::default(), "--yes"), (typed, "--confirm 'REPAIR prod'")] {
            assert_eq!(
                cli_equivalent(&request, &deed, &policy),
                format!(
                    "orderscope messages repair 89 --destination 'rabbitmq://h/it'\\''s' --body FILE \
                     --reason INC-7 {end}"
                )
            );
        }
    }

    #[test]
    fn what_takes_a_deed_back_is_read_from_its_record() {
        let outbox = OutboxId(Uuid::from_u128(7));
        let source = Source::Kept(3);
        for deed in [
            OutboxAction::Requeue { source, name: Name::Same },
            OutboxAction::Quarantine { sequence: 89 },
            OutboxAction::Hold { outbox },
            OutboxAction::Release { outbox },
        ] {
            let intent = Intent::Messages(deed);
            assert_eq!(read(&recorded(&intent)), Some(intent));
        }
        assert_eq!(read(&Value::Null), None);
    }
}
