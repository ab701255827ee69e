//! What is said about an action: before it runs, on the command line, and in its record.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Operation;
use crate::domain::{
    id::OutboxId,
    outbox_action::{Name, OutboxAction, Repair, Source},
    text::hex,
};

/// `quarantine message 88190`
#[must_use]
pub fn title(action: &OutboxAction) -> String {
    match action {
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
        OutboxAction::Requeue { source: Source::Repaired(number, _), .. } => {
            format!("requeue copy {number} with other texts")
        }
        OutboxAction::Requeue { source: Source::Given(whole), .. } => {
            format!("requeue message {}", whole.message.short())
        }
    }
}

/// What its command line says after the verb.
pub fn options(action: &OutboxAction) -> Vec<String> {
    match action {
        OutboxAction::Hold { outbox } | OutboxAction::Release { outbox } => {
            vec![outbox.to_string()]
        }
        OutboxAction::Repair { sequence, repair } => {
            let mut out = vec![sequence.to_string()];
            out.extend(texts(repair));
            out
        }
        OutboxAction::Quarantine { sequence } => vec![sequence.to_string()],
        OutboxAction::Requeue { source, name } => {
            let mut out = match source {
                Source::Kept(number) => vec![number.to_string()],
                Source::Repaired(number, repair) => {
                    let mut out = vec![number.to_string()];
                    out.extend(texts(repair));
                    out
                }
                Source::Given(_) => ["--json", "FILE"].map(ToOwned::to_owned).to_vec(),
            };
            if *name != Name::Same {
                out.push("--new-id".to_owned());
            }
            out
        }
    }
}

/// The options of other texts.
fn texts(repair: &Repair) -> Vec<String> {
    let mut out = vec![];
    for (option, text) in [
        ("--destination", &repair.destination),
        ("--headers", &repair.headers),
        ("--properties", &repair.properties),
    ] {
        out.extend(text.iter().flat_map(|text| [option.to_owned(), text.clone()]));
    }
    if repair.body.is_some() {
        // The text may be long and personal: it comes from a file.
        out.extend(["--body", "FILE"].map(ToOwned::to_owned));
    }
    out
}

/// What an action says; a text from a file by its hash.
pub fn content(action: &OutboxAction) -> Vec<String> {
    let mut out = options(action);
    let text = match action {
        OutboxAction::Repair { repair, .. } => repair.body.clone(),
        OutboxAction::Requeue { source: Source::Repaired(_, repair), .. } => repair.body.clone(),
        OutboxAction::Requeue { source: Source::Given(whole), .. } => Some(whole.body.clone()),
        _ => None,
    };
    out.extend(text.map(|text| hex(&Sha256::digest(text))));
    out
}

/// What takes an action back, as its record keeps it.
pub(super) fn recorded(reverse: &Operation) -> Value {
    match reverse {
        Operation::Outbox(OutboxAction::Requeue { source: Source::Kept(number), .. }) => {
            json!({ "requeue": number })
        }
        Operation::Outbox(OutboxAction::Quarantine { sequence }) => {
            json!({ "quarantine": sequence })
        }
        Operation::Outbox(OutboxAction::Hold { outbox }) => json!({ "hold": outbox }),
        Operation::Outbox(OutboxAction::Release { outbox }) => json!({ "release": outbox }),
        _ => Value::Null,
    }
}

/// The same, read from what a record keeps.
pub fn recorded_reverse(after: &Value) -> Option<Operation> {
    let (name, value) = after.get("reverse")?.as_object()?.iter().next()?;
    let outbox = || Some(OutboxId(Uuid::try_parse(value.as_str()?).ok()?));
    Some(Operation::Outbox(match name.as_str() {
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

    #[test]
    fn what_takes_an_action_back_is_read_from_its_record() {
        let outbox = OutboxId(Uuid::from_u128(7));
        let source = Source::Kept(3);
        for action in [
            OutboxAction::Requeue { source, name: Name::Same },
            OutboxAction::Quarantine { sequence: 89 },
            OutboxAction::Hold { outbox },
            OutboxAction::Release { outbox },
        ] {
            let reverse = Operation::Outbox(action);
            let after = json!({ "reverse": recorded(&reverse) });
            assert_eq!(recorded_reverse(&after), Some(reverse));
        }
        assert_eq!(recorded_reverse(&Value::Null), None);
    }
}
