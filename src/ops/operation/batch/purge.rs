//! Removing what is over: outboxes that were delivered, and messages of consumers that were delivered, with copies of
//! these; inbox rows that were delivered, or that failed. By when it was delivered, never by `sent_time`: that would
//! remove what was never sent.

use std::num::NonZeroU32;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Batch, BatchKind, Committed, PlanError, Ran, Work};
use crate::{
    db::{
        Layout, Table,
        operations::{self, Cursor, Page},
        write::{DueKey, Keep, Listed, Need, Number, Old, Tx},
    },
    domain::{
        batch::Outcome,
        outbox_action::{HANDLING, YOUNGEST, old_enough},
        text::thousands,
    },
    ops::operation::{Bulk, Check, Effect, Kind, Operation, Verdict},
};

/// What a plan of removing failed rows says while the broker was not asked.
pub const UNASKED: &str = "whether the messages still wait in a queue or in _error: a later delivery creates the row again";

/// What is removed, and how old it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    old: Old,
}

impl Purge {
    /// Outboxes that were delivered before a moment, with their messages.
    #[must_use]
    pub const fn outboxes(before: DateTime<Utc>) -> Self {
        Self { old: Old::Outboxes(before) }
    }

    /// Inbox rows that were delivered before it.
    #[must_use]
    pub const fn inbox(before: DateTime<Utc>) -> Self {
        Self { old: Old::Inbox(before) }
    }

    /// Inbox rows that were received before it and never consumed.
    #[must_use]
    pub const fn failed(before: DateTime<Utc>) -> Self {
        Self { old: Old::Failed(before) }
    }

    /// Messages of consumers that were delivered before it. Where a service cleans up its inbox, they stop it for ever.
    #[must_use]
    pub const fn consumers(before: DateTime<Utc>) -> Self {
        Self { old: Old::Consumers(before) }
    }

    /// As an operation, at most so many rows a second; an outbox counts as one.
    #[must_use]
    pub fn operation(&self, rate: Option<NonZeroU32>) -> Operation {
        Operation::Bulk(Bulk { kind: self.kind(), parameters: self.parameters(), rate })
    }

    const fn kind(&self) -> Kind {
        match self.old {
            Old::Outboxes(_) => Kind::PurgeOutbox,
            Old::Inbox(_) => Kind::PurgeInbox,
            Old::Failed(_) => Kind::RemoveFailedInbox,
            Old::Consumers(_) => Kind::PurgeConsumed,
        }
    }

    /// The moment before which it is due, to the microsecond.
    fn before(&self) -> String {
        self.old.before().to_rfc3339_opts(SecondsFormat::Micros, true)
    }
}

/// The purge that a record says.
pub fn read(name: &str, parameters: &Value) -> Option<Box<dyn BatchKind>> {
    of(name, parameters).map(|purge| -> Box<dyn BatchKind> { Box::new(purge) })
}

fn of(name: &str, parameters: &Value) -> Option<Purge> {
    let before = parameters.get("before")?.as_str()?.parse().ok()?;
    [Purge::outboxes, Purge::inbox, Purge::failed, Purge::consumers]
        .into_iter()
        .map(|purge| purge(before))
        .find(|purge| purge.name() == name)
}

/// The moment before which rows are due, to the second.
fn moment(purge: &Purge) -> String {
    purge.old.before().to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl BatchKind for Purge {
    fn name(&self) -> &'static str {
        self.kind().spec().name
    }

    fn parameters(&self) -> Value {
        json!({ "before": self.before() })
    }

    fn options(&self) -> Vec<String> {
        vec!["--before".to_owned(), self.before()]
    }

    fn targets(&self) -> Vec<String> {
        let table = match self.old {
            Old::Outboxes(_) => "outbox_state",
            Old::Inbox(_) | Old::Failed(_) => "inbox_state",
            Old::Consumers(_) => "outbox_message",
        };
        vec![table.to_owned()]
    }

    fn needs(&self) -> Vec<Need> {
        let (states, messages, inbox) =
            (Table::OutboxStates, Table::OutboxMessages, Table::InboxStates);
        match self.old {
            Old::Outboxes(_) => {
                vec![Need::Update(states), Need::Delete(states), Need::Delete(messages)]
            }
            Old::Inbox(_) | Old::Failed(_) => vec![Need::Update(inbox), Need::Delete(inbox)],
            Old::Consumers(_) => vec![Need::Update(inbox), Need::Delete(messages)],
        }
    }

    fn keeps_copies(&self) -> bool {
        self.old.is_of_messages()
    }

    fn allowed(&self, now: DateTime<Utc>) -> Result<(), PlanError> {
        let least = match self.old {
            Old::Outboxes(_) | Old::Inbox(_) | Old::Consumers(_) => YOUNGEST,
            Old::Failed(_) => HANDLING,
        };
        Ok(old_enough(self.old.before(), least, now)?)
    }

    fn notes(&self, layout: &Layout) -> Vec<Check> {
        let at = moment(self);
        match self.old {
            Old::Outboxes(_) => {
                let text = format!(
                    "delivered before {at} by outbox_state.delivered: nothing unsent is among them"
                );
                let mut notes = vec![Check::new(Verdict::Ok, text)];
                if !layout.is_managed() {
                    notes.push(Check::new(
                        Verdict::Warn,
                        "MassTransit removes them itself with its next pass: this is needed only where no worker runs",
                    ));
                }
                notes.push(Check::new(
                    Verdict::Warn,
                    "their messages are copied first: the space they took is still needed",
                ));
                notes
            }
            Old::Inbox(_) => vec![
                Check::new(Verdict::Ok, format!("delivered before {at}")),
                Check::new(Verdict::Ok, "no message of the outbox refers to any of them"),
                Check::new(
                    Verdict::Warn,
                    "a message of theirs that comes once more is new afterwards: its handler runs again",
                ),
            ],
            Old::Consumers(_) => vec![
                Check::new(
                    Verdict::Ok,
                    format!("of consumers delivered before {at}: nothing unsent is among them"),
                ),
                Check::new(
                    Verdict::Ok,
                    "the inbox rows stay; their service cleans them up afterwards",
                ),
                Check::new(
                    Verdict::Warn,
                    "they are copied first: the space they took is still needed",
                ),
            ],
            Old::Failed(_) => vec![
                Check::new(Verdict::Ok, format!("received before {at} and never consumed")),
                Check::new(Verdict::Ok, "a row that somebody works on is skipped"),
                Check::new(Verdict::Unknown, UNASKED),
                Check::new(
                    Verdict::Warn,
                    "the handler's database work was undone each time; what it did elsewhere (mail) was not",
                ),
            ],
        }
    }

    fn effects(&self, items: u64) -> Vec<Effect> {
        let rows = thousands(i64::try_from(items).unwrap_or(i64::MAX));
        match self.old {
            Old::Outboxes(_) => vec![
                Effect::told("outbox_message", format!("- the messages of {rows} outboxes")),
                Effect::told("outbox_state", format!("- {rows} rows")),
                Effect::told("kept_messages", "+ a copy of each message (purged)"),
            ],
            Old::Consumers(_) => vec![
                Effect::told("outbox_message", format!("- the messages of {rows} inbox rows")),
                Effect::told("kept_messages", "+ a copy of each message (purged)"),
            ],
            Old::Inbox(_) | Old::Failed(_) => {
                vec![Effect::told("inbox_state", format!("- {rows} rows"))]
            }
        }
    }

    fn page<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        after: Option<&'a Cursor>,
        limit: u64,
        into: Option<(Uuid, u64)>,
    ) -> Work<'a, Page> {
        Box::pin(async move {
            Ok(match into {
                Some(into) => {
                    operations::freeze_page(conn, layout, self.old, after, limit, into).await?
                }
                None => operations::due_page(conn, layout, self.old, after, limit).await?,
            })
        })
    }

    fn first<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        limit: u64,
    ) -> Work<'a, Vec<Value>> {
        Box::pin(async move { Ok(operations::due_first(conn, layout, self.old, limit).await?) })
    }

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>, batch: &'a Batch<'a>) -> Work<'a, Ran> {
        Box::pin(remove(self.old, tx, batch))
    }

    fn verify<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        committed: &'a Committed<'a>,
    ) -> Work<'a, Option<String>> {
        Box::pin(verify(self.old, conn, layout, committed))
    }

    fn arrived<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        operation: Uuid,
    ) -> Work<'a, Option<u64>> {
        Box::pin(async move { Ok(operations::arrived(conn, layout, self.old, operation).await?) })
    }
}

/// Looks at the rows again under their locks, copies, removes.
async fn remove(old: Old, tx: &mut Tx<'_>, batch: &Batch<'_>) -> Result<Ran, PlanError> {
    let keys: Option<Vec<_>> = batch.items.iter().map(|item| DueKey::read(&item.key)).collect();
    let Some(keys) = keys else {
        let why = "an item of the list is no key of a row".to_owned();
        return Err(crate::db::Error::Conflict(why).into());
    };
    let listed = tx.hold_listed(old, &keys).await?;
    let mut outcomes: Vec<_> = listed.iter().map(|row| judged(old, row.as_ref())).collect();
    let (mut messages, mut copies) = (vec![], vec![]);
    if old.is_of_messages() {
        let whole;
        (messages, whole) = messages_of(tx, old, &keys, &outcomes, batch.rows).await?;
        outcomes.truncate(whole);
        let number = if batch.dry { placeholder(batch.operation) } else { Number::Next };
        let place = if matches!(old, Old::Consumers(_)) { "consumer" } else { "outbox" };
        let keep = Keep { cause: "purged", place, operation: batch.operation, number };
        copies = tx.keep(&messages, &keep).await?;
    }
    let done = |index: &usize| outcomes.get(*index) == Some(&Outcome::Done);
    let rows: Vec<_> = (0..keys.len()).filter(done).collect();
    let outboxes: Vec<Uuid> = rows.iter().map(|index| keys[*index].id).collect();
    let gone: Vec<&Listed> = rows.iter().filter_map(|index| listed[*index].as_ref()).collect();
    tx.remove_messages(&messages).await?;
    match old {
        Old::Outboxes(_) => tx.remove_outboxes(&outboxes).await?,
        Old::Inbox(_) | Old::Failed(_) => {
            let numbers: Vec<i64> = gone.iter().filter_map(|listed| listed.inbox).collect();
            tx.remove_inbox(&numbers).await?;
        }
        Old::Consumers(_) => {}
    }
    let evidence = evidence(old, &gone, &copies);
    Ok(Ran { outcomes, rows: (gone.len() + messages.len()) as u64, evidence })
}

/// What is to become of a row, as it is now.
fn judged(old: Old, row: Option<&Listed>) -> Outcome {
    let skipped = |why: &str| Outcome::Skipped(why.to_owned());
    match row {
        None => skipped("it is gone: someone else removed it"),
        Some(row) if !row.held => skipped("another session works on it"),
        Some(row) if !row.due => skipped(match old {
            Old::Outboxes(_) | Old::Inbox(_) | Old::Consumers(_) => {
                "it changed since it was listed: it is no more recorded as delivered before that moment"
            }
            Old::Failed(_) => {
                "it changed since it was listed: it is no more a failed row of that age"
            }
        }),
        Some(row) if matches!(old, Old::Consumers(_)) && !row.referred => {
            skipped("no message of the outbox refers to it any more")
        }
        Some(_) if matches!(old, Old::Consumers(_)) => Outcome::Done,
        Some(row) if row.referred => skipped("a message of the outbox refers to it"),
        Some(_) => Outcome::Done,
    }
}

/// Numbers of the messages that may go in this transaction, and how many items are settled with it: those before the
/// item that does not fit as a whole. That one loses what fits and stays, with the rest, for the next batch.
async fn messages_of(
    tx: &mut Tx<'_>,
    old: Old,
    keys: &[DueKey],
    outcomes: &[Outcome],
    rows: u64,
) -> Result<(Vec<i64>, usize), PlanError> {
    let may = |index: &usize| outcomes.get(*index) == Some(&Outcome::Done);
    let places: Vec<usize> = (0..keys.len()).filter(may).collect();
    let chosen: Vec<DueKey> = places.iter().map(|index| keys[*index]).collect();
    let mut found = tx.messages_in(old, &chosen, rows + 1).await?;
    let mut whole = keys.len();
    if found.len() as u64 > rows
        && let Some((cut, _)) = found.pop()
    {
        whole = places.get(cut).copied().unwrap_or_default();
    }
    Ok((found.into_iter().map(|(_, sequence)| sequence).collect(), whole))
}

/// Far below every number that was ever drawn, and hardly ever another dry run's.
fn placeholder(operation: Uuid) -> Number {
    let (high, _) = operation.as_u64_pair();
    Number::Placeholder(-1 - (high >> 2).cast_signed())
}

/// What the journal keeps of rows that go: how many, from when to when, and a hash over all of them as they were, one
/// line of JSON each. The list of the operation names them.
fn evidence(old: Old, gone: &[&Listed], copies: &[i64]) -> Value {
    let mut hash = Sha256::new();
    for listed in gone {
        hash.update(format!("{}\n", listed.row).as_bytes());
    }
    let moment = |row: Option<&&Listed>| {
        row.and_then(|listed| listed.row.get(old.moment())).cloned().unwrap_or_default()
    };
    let mut evidence = json!({
        "rows": gone.len(),
        "from": moment(gone.first()),
        "until": moment(gone.last()),
        "sha256": hex(&hash.finalize()),
    });
    if old.is_of_messages() {
        // They are found by the operation and these numbers.
        evidence["copies"] = json!({
            "rows": copies.len(),
            "lowest": copies.iter().min(),
            "highest": copies.iter().max(),
        });
    }
    evidence
}

/// What was removed is gone, and every message was copied.
async fn verify(
    old: Old,
    conn: &mut PgConnection,
    layout: &Layout,
    committed: &Committed<'_>,
) -> Result<Option<String>, PlanError> {
    let done = committed.items.iter().filter(|item| item.outcome.as_deref() == Some("done"));
    let keys: Vec<_> = done.filter_map(|item| DueKey::read(&item.key)).collect();
    let left = operations::still_there(conn, layout, old, &keys).await?;
    if left > 0 {
        return Ok(Some(format!("{left} rows that were removed are there")));
    }
    for copies in committed.evidence.iter().filter_map(|evidence| evidence.get("copies")) {
        let number = |name: &str| copies.get(name).and_then(Value::as_i64);
        let Some((lowest, highest)) = number("lowest").zip(number("highest")) else { continue };
        let kept = operations::copies(conn, committed.operation, lowest, highest).await?;
        let made = number("rows").unwrap_or_default();
        if kept != made {
            return Ok(Some(format!("of {made} copies of messages {kept} are there")));
        }
    }
    Ok(None)
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_purge_is_read_from_its_record() {
        let before = at("2026-11-15T19:00:00.123456Z");
        for purge in
            [Purge::outboxes, Purge::inbox, Purge::failed, Purge::consumers].map(|of| of(before))
        {
            assert_eq!(of(purge.name(), &purge.parameters()), Some(purge));
        }
        assert_eq!(of("PurgeOutbox", &json!({})), None);
        assert_eq!(of("PurgeAll", &json!({ "before": "2026-11-15T19:00:00Z" })), None);
    }

    #[test]
    fn what_is_young_is_refused() {
        let now = at("2026-11-22T19:00:00Z");
        let ago = |days| now - TimeDelta::days(days);
        assert!(Purge::outboxes(ago(2)).allowed(now).is_ok());
        assert!(Purge::failed(now - TimeDelta::minutes(2)).allowed(now).is_ok());
        for purge in
            [Purge::outboxes, Purge::inbox, Purge::failed, Purge::consumers].map(|of| of(now))
        {
            let refused = purge.allowed(now).unwrap_err().to_string();
            assert!(refused.contains("older than"), "{refused}");
        }
    }

    #[test]
    fn a_row_that_changed_is_skipped_with_its_reason() {
        let fine =
            Listed { row: json!({}), inbox: Some(1), held: true, due: true, referred: false };
        let old = Old::Inbox(at("2026-11-15T19:00:00Z"));
        assert_eq!(judged(old, Some(&fine)), Outcome::Done);
        let why = |row: Option<&Listed>| judged(old, row).told().unwrap().to_owned();
        assert!(why(None).contains("gone"));
        assert!(why(Some(&Listed { held: false, ..fine.clone() })).contains("another session"));
        assert!(why(Some(&Listed { due: false, ..fine.clone() })).contains("changed since"));
        assert!(why(Some(&Listed { referred: true, ..fine })).contains("refers to it"));
    }
}
