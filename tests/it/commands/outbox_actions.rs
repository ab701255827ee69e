//! What operators do by hand to outbox and inbox, on databases of our own and of the real service: the plan writes
//! nothing, the run writes what it showed with a copy and a record, and whoever moved first is respected.

use std::time::Duration;

use orderscope::{
    db::{Db, Limits, archive, paused},
    domain::{
        diagnosis::Rule,
        id::{MessageId, OutboxId},
        outbox_action::{Name, OutboxAction, Refusal, Repair, Source},
    },
    ops::{
        messages::{self, AsOf, Watch},
        operation::{Listed, Operation, Outcome, Plan, PlanError, PlanRequest, Verdict, Writer},
        policy::Policy,
    },
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::world::{World, execute, limited, now, plan, policy, run};
use crate::support::fixture::Schema;

const SCHEMAS: [Schema; 2] = [Schema::Marten9, Schema::Document];
/// The message whose destination the real service could not use, in stages 6 and 7.
const POISON: i64 = 89;
const THERE: &str = "rabbitmq://rabbitmq/BookWorm.Contracts:UserCheckedOutIntegrationEvent";

fn asked(action: OutboxAction) -> PlanRequest {
    PlanRequest {
        id: Uuid::now_v7(),
        operation: Operation::Outbox(action),
        reason: Some("INC-7".to_owned()),
        expect: None,
    }
}

async fn planned(world: &World, action: OutboxAction) -> Result<Plan, PlanError> {
    plan(&world.writer, asked(action), now(), &CancellationToken::new()).await
}

async fn done(world: &World, action: OutboxAction) -> Result<Outcome, PlanError> {
    execute(&world.writer, &asked(action), now()).await
}

async fn service(schema: Schema, stage: &str) -> World {
    World::service(schema, stage, "'service'").await
}

async fn row(world: &World, sequence: i64) -> Option<Value> {
    let sql = "SELECT to_jsonb(m) FROM outbox_message m WHERE sequence_number = $1";
    sqlx::query_scalar(sql).bind(sequence).fetch_optional(&mut world.conn().await).await.unwrap()
}

async fn sql(world: &World, text: &str) {
    world.conn().await.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

async fn rules(options: &PgConnectOptions) -> Vec<Rule> {
    let db = Db::new(options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let at = AsOf::Moment("2026-11-22T18:21:40Z".parse().unwrap());
    let look = async |conn: &mut PgConnection| {
        messages::status(conn, &layout, &Watch::default(), at, None).await
    };
    let status = db.read("messages", &CancellationToken::new(), look).await.unwrap();
    db.close().await;
    status.findings.iter().map(|finding| finding.rule).collect()
}

fn quarantine(sequence: i64) -> OutboxAction {
    OutboxAction::Quarantine { sequence }
}

fn requeue(number: i64) -> OutboxAction {
    OutboxAction::Requeue { source: Source::Kept(number), name: Name::Same }
}

fn to(destination: &str) -> Repair {
    Repair { destination: Some(destination.to_owned()), ..Repair::default() }
}

/// Outboxes of ours: so many messages each, delivered so many days ago or not at all. Their ids.
pub async fn outboxes(world: &World, each: i64, delivered: &[Option<i64>]) -> Vec<OutboxId> {
    let mut ids = vec![];
    for days in delivered {
        let id = Uuid::now_v7();
        // Published long ago in every case: that says nothing of delivery.
        let at = days.map_or_else(
            || "NULL".to_owned(),
            |days| format!("timestamptz '2026-11-22T19:00:00Z' - interval '{days} days'"),
        );
        let text = format!(
            "INSERT INTO outbox_state (outbox_id, lock_id, created, delivered)
                 VALUES ('{id}', '{nil}', now() - interval '90 days', {at});
             INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body,
                     destination_address, properties)
                 SELECT now() - interval '90 days', '{id}', i.id, 'application/vnd.masstransit+json', 'urn:message:A:B',
                     '{{\"messageId\": \"' || i.id || '\", \"messageType\": [], \"message\": {{}}}}', '{THERE}', '{{}}'
                 FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, {each})) i",
            nil = Uuid::nil(),
        );
        sql(world, &text).await;
        ids.push(OutboxId(id));
    }
    ids
}

async fn sequences(world: &World, outbox: OutboxId) -> Vec<i64> {
    let sql = "SELECT sequence_number FROM outbox_message WHERE outbox_id = $1 ORDER BY 1";
    sqlx::query_scalar(sql).bind(outbox).fetch_all(&mut world.conn().await).await.unwrap()
}

/// An inbox row: minutes since it was received, whether consumed, days since it was delivered.
pub async fn inbox(
    world: &World,
    minutes: i64,
    consumed: bool,
    delivered: Option<i64>,
) -> MessageId {
    let id = Uuid::now_v7();
    let at = "timestamptz '2026-11-22T19:00:00Z' - interval";
    let consumed = if consumed { format!("{at} '{minutes} min'") } else { "NULL".to_owned() };
    let delivered =
        delivered.map_or_else(|| "NULL".to_owned(), |days| format!("{at} '{days} days'"));
    let text = format!(
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
         VALUES ('{id}', gen_random_uuid(), '{}', {at} '{minutes} min', 0, {consumed}, {delivered})",
        Uuid::nil(),
    );
    sql(world, &text).await;
    MessageId(id)
}

pub async fn received(world: &World) -> Vec<MessageId> {
    let sql = "SELECT message_id FROM inbox_state ORDER BY id";
    sqlx::query_scalar(sql).fetch_all(&mut world.conn().await).await.unwrap()
}

#[tokio::test]
async fn the_poisonous_head_of_the_service_is_taken_out_and_put_back() {
    for schema in SCHEMAS {
        let world = service(schema, "6-bad-destination").await;
        assert_eq!(rules(&world.options).await[0], Rule::PoisonHead);
        let (all, before) = (world.dump(&[]).await, row(&world, POISON).await.unwrap());
        let made = planned(&world, quarantine(POISON)).await.unwrap();
        assert_eq!(world.dump(&[]).await, all, "a plan leaves nothing behind, no number drawn");
        assert!(!made.is_blocked(), "{:?}", made.checks);
        let said = |text: &str| made.checks.iter().any(|check| check.text.contains(text));
        assert!(
            said("it cannot leave as it is") && said("not recorded as delivered"),
            "{:?}",
            made.checks
        );
        assert_eq!(made.confirmation.phrase, "QUARANTINE");
        assert_eq!(
            made.cli_equivalent,
            format!("orderscope messages quarantine {POISON} --reason INC-7 --yes")
        );
        let deletes = |one: &Listed| {
            one.text.starts_with("DELETE FROM") && one.text.contains("outbox_message")
        };
        assert!(made.listed.iter().any(deletes), "{:?}", made.listed);
        let tables: Vec<_> = made.effects.iter().map(|effect| &*effect.place).collect();
        assert_eq!(tables, ["outbox_message", "kept_messages", "outbox_state"]);

        let done = run(&world.writer, &made, now()).await.unwrap();
        assert_eq!(row(&world, POISON).await, None);
        assert!(!rules(&world.options).await.contains(&Rule::PoisonHead));
        let mut conn = world.conn().await;
        let copies = archive::list(&mut conn, None, 10).await.unwrap();
        assert_eq!(copies.len(), 1);
        let copy = &copies[0];
        assert_eq!((copy.cause.as_str(), copy.operation), ("quarantined", Some(done.id)));
        assert!(done.told.contains(&format!("requeue {}", copy.number)), "{}", done.told);
        // The copy is the row, bit by bit.
        let (body, rest): (Vec<u8>, Value) =
            sqlx::query_as("SELECT body, rest FROM orderscope.kept_messages")
                .fetch_one(&mut conn)
                .await
                .unwrap();
        let mut whole = rest.clone();
        whole["body"] = Value::from(String::from_utf8(body).unwrap());
        assert_eq!(whole, before);
        // The service removes an empty outbox itself.
        let outbox: Uuid = before["outbox_id"].as_str().unwrap().parse().unwrap();
        let states = "SELECT count(*) FROM outbox_state WHERE outbox_id = $1";
        let left: i64 = sqlx::query_scalar(states).bind(outbox).fetch_one(&mut conn).await.unwrap();
        assert_eq!(left, 1);
        // On record, without the body, and found by the message too.
        let (intent, value): (String, String) = sqlx::query_as(
            "SELECT a.intent, v.value FROM orderscope.audit a JOIN orderscope.audit_values v USING (number)
             WHERE v.part = 'before' AND a.targets @> ARRAY['seq 89'] AND a.targets @> ARRAY[$1]",
        )
        .bind(before["message_id"].as_str().unwrap())
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(intent, "QuarantineMessage");
        assert!(value.contains("bytes)") && !value.contains("messageType"), "{value}");

        // Taken back: the same message, at the end of the line, in an outbox of its own.
        let Some(Operation::Outbox(back)) = done.reverse else { panic!("{:?}", done.reverse) };
        assert_eq!(back, requeue(copy.number));
        let again = self::done(&world, back.clone()).await.unwrap();
        let Some(Operation::Outbox(OutboxAction::Quarantine { sequence })) = again.reverse else {
            panic!("{:?}", again.reverse)
        };
        let mut after = row(&world, sequence).await.unwrap();
        assert_ne!(after["outbox_id"], before["outbox_id"]);
        for column in ["sequence_number", "outbox_id"] {
            after[column] = before[column].clone();
        }
        assert_eq!(after, before);
        assert!(matches!(
            self::done(&world, back).await,
            Err(PlanError::Declined(Refusal::Returned { .. }))
        ));
    }
}

#[tokio::test]
async fn a_message_that_moved_since_makes_the_plan_stale() {
    let world = service(Schema::Marten9, "6-bad-destination").await;
    let made = planned(&world, quarantine(POISON)).await.unwrap();
    // A failing delivery writes the outbox's row again and again; that is no reason.
    sql(&world, "UPDATE outbox_state SET lock_id = gen_random_uuid()").await;
    sql(&world, "UPDATE outbox_message SET headers = '{}' WHERE sequence_number = 89").await;
    let stale = run(&world.writer, &made, now()).await.unwrap_err();
    assert!(matches!(stale, PlanError::Stale(_)), "{stale:?}");
    let made = planned(&world, quarantine(POISON)).await.unwrap();
    sql(&world, "UPDATE outbox_state SET lock_id = gen_random_uuid()").await;
    run(&world.writer, &made, now()).await.unwrap();

    let made = planned(&world, quarantine(90)).await.unwrap();
    sql(
        &world,
        "UPDATE outbox_state SET delivered = now() WHERE outbox_id =
             (SELECT outbox_id FROM outbox_message WHERE sequence_number = 90)",
    )
    .await;
    let refused = run(&world.writer, &made, now()).await.unwrap_err();
    assert_eq!(refused, PlanError::Declined(Refusal::NotPending(90)));
    sql(&world, "DELETE FROM outbox_message WHERE sequence_number = 90").await;
    let refused = run(&world.writer, &made, now()).await.unwrap_err();
    assert_eq!(refused, PlanError::Declined(Refusal::NoMessage(90)));
}

#[tokio::test]
async fn the_same_operation_is_done_once() {
    let world = service(Schema::Document, "6-bad-destination").await;
    let request = asked(quarantine(POISON));
    let first = execute(&world.writer, &request, now()).await.unwrap();
    let all = world.dump(&[]).await;
    let again = execute(&world.writer, &request, now()).await.unwrap();
    assert_eq!(again, Outcome { repeated: true, ..first });
    assert_eq!(world.dump(&[]).await, all);
    let other = PlanRequest { operation: Operation::Outbox(quarantine(90)), ..request };
    assert!(matches!(execute(&world.writer, &other, now()).await, Err(PlanError::Reused { .. })));
}

#[tokio::test]
async fn a_delivery_in_the_middle_is_waited_for_and_one_with_an_old_view_never_sends_what_is_gone()
{
    let world = service(Schema::Marten9, "6-bad-destination").await;
    let short = Limits { statement: Duration::from_millis(800), ..Limits::default() };
    let hasty = World {
        writer: limited(&world.options, "mai", &short).await.unwrap(),
        options: world.options.clone(),
    };
    let take = "SELECT *, xmin FROM outbox_state ORDER BY created LIMIT 1 FOR UPDATE SKIP LOCKED";
    let mut worker = world.conn().await;
    worker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    worker.execute(take).await.unwrap();
    let locked = done(&hasty, quarantine(POISON)).await.unwrap_err();
    assert!(matches!(locked, PlanError::Database(_)), "{locked:?}");
    assert!(row(&world, POISON).await.is_some());
    worker.execute("ROLLBACK").await.unwrap();

    // Its snapshot is older than our commit: it fails at the lock, before anything is sent.
    worker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    worker.execute("SELECT count(*) FROM orders").await.unwrap();
    done(&world, quarantine(POISON)).await.unwrap();
    let error = worker.execute(take).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("40001"));
}

#[tokio::test]
async fn an_orphan_is_taken_out_and_put_into_an_outbox_of_its_own() {
    for schema in SCHEMAS {
        let world = service(schema, "1-backlog").await;
        let orphan: i64 = sqlx::query_scalar("SELECT min(sequence_number) FROM outbox_message")
            .fetch_one(&mut world.conn().await)
            .await
            .unwrap();
        let lose =
            format!("UPDATE outbox_message SET outbox_id = NULL WHERE sequence_number = {orphan}");
        sql(&world, &lose).await;
        let before = row(&world, orphan).await.unwrap();
        assert!(rules(&world.options).await.contains(&Rule::Orphans));
        let said = |made: &Plan, text: &str| made.checks.iter().any(|one| one.text.contains(text));
        let repaired =
            planned(&world, OutboxAction::Repair { sequence: orphan, repair: to(THERE) }).await;
        assert!(
            matches!(repaired, Err(PlanError::Declined(Refusal::NoOwner(found))) if found == orphan),
            "{repaired:?}"
        );
        let made = planned(&world, quarantine(orphan)).await.unwrap();
        assert!(said(&made, "it has no owner: nothing would ever send it"), "{:?}", made.checks);
        assert!(!said(&made, "pending"), "{:?}", made.checks);
        let tables: Vec<_> = made.effects.iter().map(|effect| &*effect.place).collect();
        assert_eq!(tables, ["outbox_message", "kept_messages"]);
        run(&world.writer, &made, now()).await.unwrap();
        assert_eq!(row(&world, orphan).await, None);
        assert!(!rules(&world.options).await.contains(&Rule::Orphans));
        let copies = archive::list(&mut world.conn().await, None, 10).await.unwrap();
        let made = planned(&world, requeue(copies[0].number)).await.unwrap();
        assert!(said(&made, "it had no owner when it was quarantined"), "{:?}", made.checks);
        run(&world.writer, &made, now()).await.unwrap();
        // The same message, and now somebody sends it.
        let after: Value = sqlx::query_scalar(
            "SELECT to_jsonb(m) FROM outbox_message m JOIN outbox_state s USING (outbox_id) \
             WHERE s.delivered IS NULL AND m.message_id = $1::text::uuid",
        )
        .bind(before["message_id"].as_str())
        .fetch_one(&mut world.conn().await)
        .await
        .unwrap();
        assert_eq!((&after["body"], &after["sent_time"]), (&before["body"], &before["sent_time"]));
        assert!(!rules(&world.options).await.contains(&Rule::Orphans));
    }
}

#[tokio::test]
async fn a_repair_makes_the_head_leave_and_keeps_it_as_it_was() {
    for schema in SCHEMAS {
        let world = service(schema, "6-bad-destination").await;
        let before = row(&world, POISON).await.unwrap();
        let bad =
            planned(&world, OutboxAction::Repair { sequence: POISON, repair: to("nowhere") }).await;
        assert!(matches!(bad, Err(PlanError::Declined(Refusal::Unfit { .. }))), "{bad:?}");
        let action = OutboxAction::Repair { sequence: POISON, repair: to(THERE) };
        let made = planned(&world, action).await.unwrap();
        assert!(made.effects[0].change.contains(&format!("→ {THERE}")), "{:?}", made.effects);
        run(&world.writer, &made, now()).await.unwrap();
        let after = row(&world, POISON).await.unwrap();
        assert_eq!(after["destination_address"], THERE);
        let properties: Value =
            serde_json::from_str(after["properties"].as_str().unwrap()).unwrap();
        assert_eq!(properties["RMQ-Exchange"], "BookWorm.Contracts:UserCheckedOutIntegrationEvent");
        assert_eq!((&after["body"], &after["outbox_id"]), (&before["body"], &before["outbox_id"]));
        assert!(!rules(&world.options).await.contains(&Rule::PoisonHead));
        let old: Value = sqlx::query_scalar(
            "SELECT rest FROM orderscope.kept_messages WHERE cause = 'repaired'",
        )
        .fetch_one(&mut world.conn().await)
        .await
        .unwrap();
        assert_eq!(old["destination_address"], before["destination_address"]);

        let world = service(schema, "7-bad-headers").await;
        let clear = Repair { headers: Some(String::new()), ..Repair::default() };
        done(&world, OutboxAction::Repair { sequence: POISON, repair: clear }).await.unwrap();
        assert_eq!(row(&world, POISON).await.unwrap()["headers"], Value::Null);
        assert!(!rules(&world.options).await.contains(&Rule::PoisonHead));
    }
}

#[tokio::test]
async fn a_held_outbox_is_known_to_whoever_delivers_until_it_is_released() {
    let world = World::managed().await;
    let ids = outboxes(&world, 2, &[None, None, Some(1)]).await;
    let hold = |outbox| OutboxAction::Hold { outbox };
    let all = world.dump(&[]).await;
    assert!(!planned(&world, hold(ids[0])).await.unwrap().is_blocked());
    assert_eq!(world.dump(&[]).await, all);
    let held = done(&world, hold(ids[0])).await.unwrap();
    let mut conn = world.conn().await;
    let both = [ids[0].0, ids[1].0];
    assert_eq!(paused::among(&mut conn, &both).await.unwrap(), [ids[0].0]);
    assert_eq!(paused::held(&mut conn).await.unwrap()[0].by, "mai");
    assert!(
        rules(&world.options).await.contains(&Rule::PausedOutbox),
        "nobody looks for another cause"
    );
    let twice = done(&world, hold(ids[0])).await.unwrap_err();
    assert!(matches!(twice, PlanError::Declined(Refusal::Held { .. })), "{twice:?}");
    let delivered = done(&world, hold(ids[2])).await.unwrap_err();
    assert_eq!(delivered, PlanError::Declined(Refusal::Delivered(ids[2])));
    assert_eq!(held.reverse, Some(Operation::Outbox(OutboxAction::Release { outbox: ids[0] })));
    let free = done(&world, OutboxAction::Release { outbox: ids[0] }).await.unwrap();
    assert_eq!(free.reverse, Some(Operation::Outbox(hold(ids[0]))));
    assert_eq!(paused::among(&mut conn, &both).await.unwrap(), Vec::<Uuid>::new());
    let gone = done(&world, OutboxAction::Release { outbox: ids[0] }).await.unwrap_err();
    assert_eq!(gone, PlanError::Declined(Refusal::NotHeld(ids[0])));

    // The service would not know of it.
    let world = service(Schema::Marten9, "6-bad-destination").await;
    let outbox: Uuid =
        sqlx::query_scalar("SELECT outbox_id FROM outbox_message WHERE sequence_number = 89")
            .fetch_one(&mut world.conn().await)
            .await
            .unwrap();
    let made = planned(&world, hold(OutboxId(outbox))).await.unwrap();
    assert!(made.is_blocked() && made.effects.is_empty(), "{made:?}");
    let blocked = done(&world, hold(OutboxId(outbox))).await.unwrap_err();
    assert!(matches!(&blocked, PlanError::Blocked(_)) && blocked.to_string().contains("no pause"));
}

#[tokio::test]
async fn an_outbox_of_ours_that_is_emptied_is_removed_and_the_rest_of_another_stays_in_order() {
    let world = World::managed().await;
    let ids = outboxes(&world, 2, &[None]).await;
    let [first, second] = sequences(&world, ids[0]).await[..] else { panic!() };
    let made = planned(&world, quarantine(first)).await.unwrap();
    assert!(made.checks.iter().any(|check| check.text.contains("1 messages behind it")));
    run(&world.writer, &made, now()).await.unwrap();
    assert_eq!(sequences(&world, ids[0]).await, [second]);
    done(&world, quarantine(second)).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM outbox_state").await, 0);
}

#[tokio::test]
async fn under_another_id_a_message_is_another_one() {
    let world = World::managed().await;
    let ids = outboxes(&world, 1, &[None]).await;
    let sequence = sequences(&world, ids[0]).await[0];
    let old = row(&world, sequence).await.unwrap();
    done(&world, quarantine(sequence)).await.unwrap();
    let number = world.count("SELECT number FROM orderscope.kept_messages").await;
    let id = MessageId(Uuid::now_v7());
    let renamed = OutboxAction::Requeue { source: Source::Kept(number), name: Name::New(id) };
    let made = planned(&world, renamed).await.unwrap();
    assert!(made.checks.iter().any(|check| check.text.contains("no inbox knows it")));
    run(&world.writer, &made, now()).await.unwrap();
    let new =
        row(&world, world.count("SELECT max(sequence_number) FROM outbox_message").await).await;
    let new = new.unwrap();
    assert_eq!(new["message_id"], id.to_string());
    let old_id = old["message_id"].as_str().unwrap();
    assert!(!new["body"].as_str().unwrap().contains(old_id), "{new}");
    // A message that is pending is not put there a second time.
    let whole = orderscope::domain::stored_message::StoredMessage::read(&new, now()).unwrap();
    let given = OutboxAction::Requeue { source: Source::Given(Box::new(whole)), name: Name::Same };
    let blocked = planned(&world, given).await.unwrap();
    assert!(blocked.is_blocked(), "{:?}", blocked.checks);
}

#[tokio::test]
async fn what_may_be_written_is_as_large_as_the_broker_takes() {
    let world = World::managed().await;
    let outbox = outboxes(&world, 1, &[None]).await[0];
    let sequence = sequences(&world, outbox).await[0];
    let id = row(&world, sequence).await.unwrap()["message_id"].clone();
    let long =
        serde_json::json!({ "messageId": id, "messageType": [], "message": "y".repeat(500) });
    let repair = Repair { body: Some(long.to_string()), ..Repair::default() };
    let action = OutboxAction::Repair { sequence, repair };
    let db = Db::new(&world.options, &Limits::default());
    let small = Policy { largest: 400, ..policy() };
    let writer = Writer::open(&db, world.writer.operator().clone(), small).await.unwrap();
    let refused = plan(&writer, asked(action.clone()), now(), &CancellationToken::new()).await;
    assert!(matches!(refused, Err(PlanError::Declined(_))), "{refused:?}");
    writer.close().await;
    db.close().await;
    let made = planned(&world, action).await.unwrap();
    assert!(made.checks.iter().all(|check| check.verdict != Verdict::Blocking), "{made:?}");
}
