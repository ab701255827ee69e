//! `orderscope attach` and `orderscope hand-over`: whose database it is.

use std::io::Write;

use super::{
    Failure, Outcome,
    args::{Global, OwnershipArgs, PublisherArg},
    ask::{self, Said},
    clock, exit, given, open,
};
use crate::{
    config::{Settings, choose},
    ops::{
        operator::Operator,
        ownership::{self, By, Publisher},
        policy::Policy,
    },
    session,
};

const ATTACH: &str = "\
This makes schema orderscope in the database, with Orderscope's own tables (audit log, settings), and records
that the database belongs to its service. No table of the service is changed. Afterwards commands can run
here, each with a record.";

const HAND_OVER: &str = "\
This records that the database now belongs to the service, for good: Orderscope no longer changes its schema,
keeps no summary documents, and its workers stop. Start the service after it, not before: until then nothing
publishes what lies in the outbox. Nothing is removed.";

pub(super) async fn attach(args: &OwnershipArgs, global: &Global, settings: &Settings) -> Outcome {
    let policy = asked(args, global, settings, ATTACH, "ATTACH")?;
    let (mut conn, lease) = open::writable(global, settings).await?;
    let done = async {
        let operator = operator(&mut conn, global).await?;
        let by = By { operator: &operator, at: clock::now(), reason: args.reason.as_deref() };
        Ok::<_, Failure>(ownership::attach(&mut conn, args.publisher.map(publisher), by).await?)
    }
    .await;
    if let Some(lease) = lease {
        lease.leave().await?;
    }
    let done = done?;
    let mut out = std::io::stdout();
    let again = if done.new { "attached" } else { "was attached already" };
    writeln!(out, "{}: {again}", policy.context)?;
    if let Some(evidence) = done.evidence {
        writeln!(out, "it belongs to a service: {evidence}")?;
    }
    for step in &done.applied {
        writeln!(out, "schema orderscope: {step}")?;
    }
    if args.publisher.is_none_or(|given| given == PublisherArg::Unknown) && done.new {
        writeln!(
            out,
            "who publishes is unknown, so commands that would publish are refused: see whether the service \
             publishes stored events by itself, then say `orderscope attach --publisher service` or `outbox`"
        )?;
    }
    Ok(exit::FOUND)
}

pub(super) async fn hand_over(
    args: &OwnershipArgs,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    asked(args, global, settings, HAND_OVER, "HAND OVER")?;
    let (mut conn, lease) = open::writable(global, settings).await?;
    let done = async {
        let operator = operator(&mut conn, global).await?;
        let by = By { operator: &operator, at: clock::now(), reason: args.reason.as_deref() };
        Ok::<_, Failure>(ownership::hand_over(&mut conn, args.publisher.map(publisher), by).await?)
    }
    .await;
    if let Some(lease) = lease {
        lease.leave().await?;
    }
    let others = done?;
    let mut out = std::io::stdout();
    writeln!(out, "handed over: the database belongs to the service now")?;
    if !others.is_empty() {
        writeln!(out, "still connected, will notice at their next pass: {}", others.join(", "))?;
    }
    Ok(exit::FOUND)
}

/// Explains, and goes on only if it is wanted.
fn asked(
    args: &OwnershipArgs,
    global: &Global,
    settings: &Settings,
    explained: &str,
    word: &str,
) -> Result<Policy, Failure> {
    open::may_write(global, settings)?;
    let context = choose(&given(global), settings)?;
    let policy = session::policy(&context, settings, global.read_only);
    if !args.yes && args.confirm.is_none() {
        writeln!(std::io::stderr(), "{explained}")?;
    }
    let said = Said { yes: args.yes, confirm: args.confirm.as_deref() };
    ask::confirmed(said, &policy, word)?;
    Ok(policy)
}

async fn operator(conn: &mut sqlx::PgConnection, global: &Global) -> Result<Operator, Failure> {
    let role = crate::db::ownership::role(conn).await?;
    Operator::new(global.operator.as_deref(), &role)
        .map_err(|error| Failure::usage(error.to_string()))
}

const fn publisher(given: PublisherArg) -> Publisher {
    match given {
        PublisherArg::Service => Publisher::Service,
        PublisherArg::Outbox => Publisher::Outbox,
        PublisherArg::Unknown => Publisher::Unknown,
    }
}
