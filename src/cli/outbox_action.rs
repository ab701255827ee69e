//! Verbs that change messages and inbox rows by hand: what is named on the command line, as an outbox action.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Failure, Outcome,
    args::{AgeArgs, Global, InboxAction, MessageAction, WriteArgs},
    clock, exit,
    input::{self, malformed, text},
    operation,
};
use crate::{
    config::Settings,
    domain::{
        derived::Derived,
        id::{MessageId, OutboxId},
        outbox::Owner,
        outbox_action::{Name, OutboxAction, Refusal, Repair, Source},
        stored_message::StoredMessage,
        typed, when,
        zone::Clock,
    },
    ops::{
        messages::{self as stored, MessageKey, OutboxMessage, list},
        operation::{Operation, PlanError, batch::Purge},
    },
    session::Session,
};

/// A larger text is no message.
const LARGEST: u64 = 128 << 20;

/// `messages hold|release|repair|quarantine|requeue|purge`
pub(super) async fn messages(verb: MessageAction, global: &Global, settings: &Settings) -> Outcome {
    match verb {
        MessageAction::Hold { id, write } => {
            let make = async |session: &Session| {
                let outbox = outbox_of(session, &id).await?;
                Ok(Operation::Outbox(OutboxAction::Hold { outbox }))
            };
            run(&write.into(), global, settings, make).await
        }
        MessageAction::Release { id, write } => {
            let make = async |session: &Session| {
                let outbox = outbox_of(session, &id).await?;
                Ok(Operation::Outbox(OutboxAction::Release { outbox }))
            };
            run(&write.into(), global, settings, make).await
        }
        MessageAction::Repair { id, destination, headers, properties, body, write } => {
            let body = body.as_deref().map(|path| text(path, LARGEST)).transpose()?;
            let repair = Repair { destination, headers, properties, body };
            if repair.parts().is_empty() {
                return Err(Failure::usage(
                    "say what is repaired: --destination, --headers, --properties or --body",
                ));
            }
            let make = async |session: &Session| {
                let sequence = sequence_of(session, &id).await?;
                Ok(Operation::Outbox(OutboxAction::Repair { sequence, repair }))
            };
            run(&write.into(), global, settings, make).await
        }
        MessageAction::Quarantine { id, write } => {
            let make = async |session: &Session| {
                let sequence = sequence_of(session, &id).await?;
                Ok(Operation::Outbox(OutboxAction::Quarantine { sequence }))
            };
            run(&write.into(), global, settings, make).await
        }
        MessageAction::Requeue {
            id,
            new_id,
            json,
            destination,
            headers,
            properties,
            body,
            write,
        } => {
            let given = json.as_deref().map(whole).transpose()?;
            let body = body.as_deref().map(|path| text(path, LARGEST)).transpose()?;
            let repair = Repair { destination, headers, properties, body };
            let args: WriteArgs = write.into();
            // Repeated with the same key it has the same id.
            let operation = input::operation(args.idempotency_key.as_deref())?;
            let fresh = MessageId(Derived::new(operation, clock::now()).id("another message id"));
            let name = if new_id { Name::New(fresh) } else { Name::Same };
            let make = async |session: &Session| {
                let source = match (given, &id) {
                    (Some(whole), _) => Source::Given(Box::new(whole)),
                    (None, Some(id)) if repair.parts().is_empty() => {
                        Source::Kept(copy_of(session, id).await?)
                    }
                    (None, Some(id)) => {
                        Source::Repaired(copy_of(session, id).await?, Box::new(repair))
                    }
                    (None, None) => return Err(Failure::usage("name a copy, or give --json")),
                };
                Ok(Operation::Outbox(OutboxAction::Requeue { source, name }))
            };
            run(&args, global, settings, make).await
        }
        MessageAction::Purge { age, write } => {
            purge((Purge::outboxes, TimeDelta::days(7)), &age, &write.into(), global, settings)
                .await
        }
        MessageAction::PurgeConsumed { age, write } => {
            purge((Purge::consumers, TimeDelta::days(1)), &age, &write.into(), global, settings)
                .await
        }
    }
}

/// The broker is asked only by the plan that needs it, where one is configured.
async fn run(
    args: &WriteArgs,
    global: &Global,
    settings: &Settings,
    make: impl AsyncFnOnce(&Session) -> Result<Operation, Failure>,
) -> Outcome {
    operation::run(args.into(), operation::broker(None, settings), global, settings, make).await
}

/// `inbox purge|remove-failed`
pub(super) async fn inbox(verb: InboxAction, global: &Global, settings: &Settings) -> Outcome {
    let (kind, age, write) = match verb {
        InboxAction::Purge { age, write } => {
            ((Purge::inbox as Older, TimeDelta::days(30)), age, write)
        }
        InboxAction::RemoveFailed { age, write } => {
            ((Purge::failed as Older, TimeDelta::days(1)), age, write)
        }
    };
    purge(kind, &age, &write.into(), global, settings).await
}

/// Removes what is older than a moment.
type Older = fn(DateTime<Utc>) -> Purge;

/// Removes what is old by the server's clock: one of ours that is ahead would take everything for old.
async fn purge(
    (kind, usual): (Older, TimeDelta),
    age: &AgeArgs,
    write: &WriteArgs,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    // What cannot be read is told before anything is opened.
    before(age, usual, clock::now(), settings)?;
    let make = async |session: &Session| {
        let now = (operation::measured(session).await?.clock())();
        let before = before(age, usual, now, settings)?;
        Ok(kind(before).operation(age.rate))
    };
    run(write, global, settings, make).await
}

fn before(
    age: &AgeArgs,
    usual: TimeDelta,
    now: DateTime<Utc>,
    settings: &Settings,
) -> Result<DateTime<Utc>, Failure> {
    let Some(text) = &age.before else {
        let age = age.older_than.map_or(usual, |days| TimeDelta::days(i64::from(days)));
        return Ok(now - age);
    };
    when::start(text, &Clock { now, zone: settings.zone })
        .map_err(|error| Failure::usage(format!("--before: {error}; --older-than takes days")))
}

/// How a message or an outbox is named.
enum Named {
    Sequence(i64),
    Id(Uuid),
}

fn named(text: &str) -> Result<Named, Failure> {
    let plain = typed::plain(text).trim().replace(',', "");
    if let Ok(sequence) = plain.parse() {
        return Ok(Named::Sequence(sequence));
    }
    Uuid::try_parse(&plain)
        .map(Named::Id)
        .map_err(|_| Failure::usage(format!("{text:?} is neither a number nor a whole id")))
}

async fn shown(session: &Session, named: &Named) -> Result<Option<OutboxMessage>, Failure> {
    let (layout, stop) = (&session.layout, tokio_util::sync::CancellationToken::new());
    let key = match named {
        Named::Sequence(sequence) => MessageKey::Sequence(*sequence),
        Named::Id(id) => MessageKey::Message(MessageId(*id)),
    };
    let work = async |conn: &mut sqlx::PgConnection| stored::stored(conn, layout, key).await;
    Ok(session.db.read("messages", &stop, work).await?)
}

/// A number is taken as it is: whether it is there is looked at under the lock.
async fn sequence_of(session: &Session, text: &str) -> Result<i64, Failure> {
    let named = named(text)?;
    if let Named::Sequence(sequence) = named {
        return Ok(sequence);
    }
    let found = shown(session, &named).await?.map(|shown| shown.sequence);
    found.ok_or_else(|| Failure {
        message:
            "no message of the outbox has that id: it was delivered or purged, nobody can say which"
                .to_owned(),
        code: exit::NOTHING,
    })
}

async fn outbox_of(session: &Session, text: &str) -> Result<OutboxId, Failure> {
    let named = named(text)?;
    let owner = shown(session, &named).await?.map(|shown| shown.owner);
    match (owner, named) {
        (Some(Owner::Bus(outbox)), _) => Ok(outbox),
        (Some(_), _) => Err(Failure::usage(
            "that message is in no outbox of its own: a consumer's messages leave when the consumer's message \
             comes again",
        )),
        (None, Named::Id(id)) => Ok(OutboxId(id)),
        (None, Named::Sequence(sequence)) => {
            Err(PlanError::from(Refusal::NoMessage(sequence)).into())
        }
    }
}

async fn copy_of(session: &Session, text: &str) -> Result<i64, Failure> {
    let id = match named(text)? {
        Named::Sequence(number) => return Ok(number),
        Named::Id(id) => MessageId(id),
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let work = async |conn: &mut sqlx::PgConnection| list::newest_copy(conn, id).await;
    let found = session.db.read("messages", &stop, work).await?;
    found.ok_or_else(|| Failure {
        message:
            "no copy of that message waits to be put back; `orderscope messages list --view kept` \
                  lists copies"
                .to_owned(),
        code: exit::NOTHING,
    })
}

fn whole(path: &Path) -> Result<StoredMessage, Failure> {
    let shown = path.display();
    let fields: Value =
        serde_json::from_str(&text(path, LARGEST)?).map_err(|error| malformed(path, &error))?;
    StoredMessage::read(&fields, clock::now())
        .map_err(|refusal| Failure::usage(format!("--json {shown}: {refusal}")))
}
