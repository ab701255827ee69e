//! Whose a database is, and its schema: attaching to a service's database, handing one of our own over to it, and
//! bringing the schema of one of our own up to date. Each is one transaction with its audit record, also where that
//! transaction makes the log's own tables.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::super::{
    check::{Check, Verdict},
    context::{Context, Owned, Owner},
    error::{Moved, PlanError},
    outcome::Outcome,
    plan::{Effect, Plan, PlanRequest, Steps},
    value::Operation,
};
use crate::{
    db::{
        self,
        migrate::{self, Standing},
        ownership,
        settings::Publisher,
    },
    domain::text,
    ops::audit::Entry,
};

pub(super) fn title(operation: &Operation) -> String {
    match operation {
        Operation::Attach { .. } => "attach this database to its service",
        Operation::HandOver { .. } => "hand this database over to the service",
        _ => "bring the schema up to date",
    }
    .to_owned()
}

pub(super) fn options(publisher: Option<Publisher>) -> Vec<String> {
    let name = publisher.map(|publisher| match publisher {
        Publisher::Service => "service",
        Publisher::Outbox => "outbox",
        Publisher::Unknown => "unknown",
    });
    name.into_iter().flat_map(|name| ["--publisher".to_owned(), name.to_owned()]).collect()
}

/// Looks what the database is now. Reads only: trying it out would hold locks for as long as building an index takes.
pub(super) async fn plan(ctx: &Context<'_>, request: &PlanRequest) -> Result<Plan, PlanError> {
    let owner = ctx.owner(request.spec())?;
    let mut conn = connect(owner).await?;
    let made = found(&mut conn, ctx, request).await;
    // Nothing was begun on it.
    let _ = conn.close().await;
    made
}

async fn connect(owner: &Owner) -> Result<PgConnection, PlanError> {
    match &owner.target {
        Owned::Schema(servers) => Ok(db::connect(&**servers, "prepare").await?),
        Owned::Work(_) => Err(PlanError::Mismatch),
    }
}

async fn found(
    conn: &mut PgConnection,
    ctx: &Context<'_>,
    request: &PlanRequest,
) -> Result<Plan, PlanError> {
    if request.operation != Operation::Migrate {
        // Who may not read the record is told so.
        ownership::may_own(conn).await?;
    }
    let standing = migrate::standing(conn).await?;
    let policy = ctx.policy();
    let mut plan = Plan {
        cli_equivalent: request.cli_equivalent(None, policy, false),
        ..Plan::new(request, policy, ctx.now(), Steps::Schema(standing.clone()))
    };
    match request.operation {
        Operation::Attach { publisher } => attaching(conn, &standing, publisher, &mut plan).await?,
        Operation::HandOver { publisher } => {
            handing_over(conn, &standing, publisher, &mut plan).await?;
        }
        _ => migrating(conn, &standing, &mut plan).await?,
    }
    Ok(plan)
}

async fn attaching(
    conn: &mut PgConnection,
    standing: &Standing,
    publisher: Option<Publisher>,
    plan: &mut Plan,
) -> Result<(), PlanError> {
    let mut say = |verdict, text: String| plan.checks.push(Check::new(verdict, text));
    match standing {
        Standing::Empty => return Err(migrate::Error::NothingThere.into()),
        // The service may be there all the same; then the record is what is wrong.
        Standing::Managed { .. } => return Err(migrate::Error::Managed.into()),
        Standing::Attached { since } => {
            say(Verdict::Ok, format!("it is attached already, since {since}"));
        }
        Standing::Service { evidence } => {
            say(Verdict::Ok, format!("it belongs to a service: {evidence}"));
        }
    }
    say(
        Verdict::Ok,
        "makes schema orderscope, with Orderscope's own tables: audit log and settings".to_owned(),
    );
    say(
        Verdict::Ok,
        "No table of the service is changed; afterwards commands can run here, each with a record"
            .to_owned(),
    );
    if !matches!(standing, Standing::Attached { .. })
        && publisher.is_none_or(|publisher| publisher == Publisher::Unknown)
    {
        say(Verdict::Warn, UNKNOWN.to_owned());
    }
    steps(conn, false, plan).await?;
    plan.effects.push(recorded_as(publisher));
    Ok(())
}

async fn handing_over(
    conn: &mut PgConnection,
    standing: &Standing,
    publisher: Option<Publisher>,
    plan: &mut Plan,
) -> Result<(), PlanError> {
    ownership::may_hand_over(conn, standing).await?;
    let mut say = |verdict, text: &str| plan.checks.push(Check::new(verdict, text));
    say(
        Verdict::Warn,
        "for good: Orderscope no longer changes its schema and keeps no summary documents",
    );
    say(
        Verdict::Warn,
        "its workers stop; start the service after it, not before: until then nothing publishes what lies in the \
         outbox",
    );
    say(Verdict::Ok, "nothing is removed");
    for (verdict, told) in checklist(ownership::found(conn).await?) {
        say(verdict, &told);
    }
    let others = ownership::sessions(conn).await?;
    if !others.is_empty() {
        let told =
            format!("still connected, will notice at their next pass: {}", others.join(", "));
        say(Verdict::Warn, &told);
    }
    steps(conn, false, plan).await?;
    plan.effects.push(recorded_as(publisher));
    Ok(())
}

/// What the service will find, and what to do about it before.
fn checklist(found: ownership::Found) -> Vec<(Verdict, String)> {
    let of = |count, what: &str| text::counted(count, what);
    let mut out = vec![(
        Verdict::Ok,
        format!(
            "{} pending: the service delivers them, oldest first",
            of(found.pending, "message")
        ),
    )];
    if found.undeliverable > 0 {
        out.push((
            Verdict::Warn,
            format!(
                "of these {} without a destination, or with one that cannot be used: the service loses the first and \
                 stops at the second; repair or quarantine them before (`messages list --view undeliverable`)",
                of(found.undeliverable, "message")
            ),
        ));
    }
    if found.consumed > 0 {
        out.push((
            Verdict::Warn,
            format!(
                "{} with messages that are kept: they stop the service's inbox clean-up for ever (23503); before or \
                 after this, `messages purge-consumed` removes those messages, with copies",
                of(found.consumed, "delivered inbox row")
            ),
        ));
    }
    if found.half_done > 0 {
        out.push((
            Verdict::Warn,
            format!(
                "{} half-done: the service finishes them only when their message comes again; \
                 `messages drain --all` delivers what nothing else will",
                of(found.half_done, "consumer")
            ),
        ));
    }
    if found.kept > 0 {
        out.push((
            Verdict::Ok,
            format!(
                "delivered and kept outboxes: {}; the service removes the rows with its first passes",
                text::thousands(found.kept)
            ),
        ));
    }
    out
}

async fn migrating(
    conn: &mut PgConnection,
    standing: &Standing,
    plan: &mut Plan,
) -> Result<(), PlanError> {
    let mut say = |verdict, text: &str| plan.checks.push(Check::new(verdict, text));
    match standing {
        Standing::Empty => {
            say(
                Verdict::Ok,
                "the database has none of the service's tables: it becomes Orderscope's own",
            );
        }
        Standing::Managed { pending: 0 } => {
            say(Verdict::Ok, "the schema is up to date");
            plan.steps = Steps::Nothing;
            return Ok(());
        }
        Standing::Managed { .. } => {
            say(Verdict::Ok, "the database is Orderscope's own");
            say(
                Verdict::Warn,
                "tables it changes are locked until it is done: stop what writes to them",
            );
        }
        other => migrate::may_migrate(other)?,
    }
    steps(conn, true, plan).await
}

/// The steps that the schema lacks, as effects.
async fn steps(conn: &mut PgConnection, managed: bool, plan: &mut Plan) -> Result<(), PlanError> {
    for (schema, step) in migrate::missing(conn, managed).await? {
        plan.effects.push(Effect::told(format!("schema {schema}"), step));
    }
    Ok(())
}

fn recorded_as(publisher: Option<Publisher>) -> Effect {
    let told = format!("kind attached, publisher {}", named(publisher));
    Effect::told("orderscope.database", told)
}

/// Does it, if the database is still what the plan found.
pub(super) async fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    planned: &Standing,
) -> Result<Outcome, PlanError> {
    let request = &plan.request;
    let owner = ctx.owner(request.spec())?;
    let mut conn = connect(owner).await?;
    let mut tx = conn.begin().await.map_err(db::Error::from)?;
    let now = migrate::standing(&mut tx).await?;
    if now != *planned {
        let what = format!("the database is {now}, it was {planned}");
        return Err(PlanError::Stale(Moved { what, who: None, when: None }));
    }
    let (told, more, after) = written(&mut tx, ctx, &request.operation).await?;
    let entry = Entry {
        id: request.id,
        at: ctx.now(),
        intent: request.spec().name,
        targets: vec![],
        reason: request.why(),
        before: &Value::Null,
        after: &after,
    };
    let audit = owner.chain.record(&mut tx, &entry).await?;
    tx.commit().await.map_err(db::Error::from)?;
    Ok(Outcome { more, ..Outcome::new(request, Some(audit), told) })
}

/// What was done: in a line, in more lines, and for the record.
async fn written(
    tx: &mut PgConnection,
    ctx: &Context<'_>,
    operation: &Operation,
) -> Result<(String, Vec<String>, Value), PlanError> {
    let record = |publisher| json!({ "kind": "attached", "publisher": named(publisher) });
    Ok(match *operation {
        Operation::Attach { publisher } => {
            let done = ownership::attach(tx, publisher).await?;
            let again = if done.new { "attached" } else { "was attached already" };
            let told = format!("{}: {again}", ctx.policy().context);
            let evidence = done.evidence.map(|why| format!("it belongs to a service: {why}"));
            let steps = done.applied.iter().map(|step| format!("schema orderscope: {step}"));
            let mut more: Vec<_> = evidence.into_iter().chain(steps).collect();
            if done.new && publisher.is_none_or(|publisher| publisher == Publisher::Unknown) {
                more.push(UNKNOWN.to_owned());
            }
            (told, more, record(publisher))
        }
        Operation::HandOver { publisher } => {
            ownership::hand_over(tx, publisher).await?;
            let others = ownership::sessions(tx).await?;
            let told = "handed over: the database belongs to the service now".to_owned();
            let more = (!others.is_empty()).then(|| {
                format!("still connected, will notice at their next pass: {}", others.join(", "))
            });
            (told, more.into_iter().collect(), record(publisher))
        }
        _ => {
            let done = migrate::migrate_in(tx).await?;
            let what = if done.created { "is Orderscope's own now" } else { "is up to date now" };
            let after = json!({
                "kind": "managed", "created": done.created, "applied": done.applied,
            });
            (format!("{}: the schema {what}", ctx.policy().context), done.applied, after)
        }
    })
}

const UNKNOWN: &str = "who publishes is unknown, so commands that would publish are refused: see whether the service \
     publishes stored events by itself, then say `orderscope attach --publisher service` or `outbox`";

const fn named(publisher: Option<Publisher>) -> &'static str {
    match publisher {
        Some(Publisher::Service) => "service",
        Some(Publisher::Outbox) => "outbox",
        Some(Publisher::Unknown) | None => "not said",
    }
}
