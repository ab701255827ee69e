//! Bulk purge, on databases of our own and of the real service: copies, rows that changed since, rows that others hold.

use chrono::TimeDelta;
use orderscope::{
    db::operations,
    domain::{
        batch::{Counts, State},
        id::OutboxId,
        outbox_action::Refusal,
    },
    ops::operation::{
        self, Confirmation, Operation, PlanError, PlanRequest, Progress, Steps,
        batch::{self, BatchKind, BatchPlan, Purge, Record, Which},
    },
};
use sqlx::Executor;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::marks::{at_now, request, sql};
use crate::{
    commands::{
        outbox_actions::{inbox, outboxes, received},
        world::{World, now},
    },
    support::fixture::Schema,
};

const SCHEMAS: [Schema; 2] = [Schema::Marten9, Schema::Document];
const COPIES: &str = "SELECT count(*) FROM orderscope.kept_messages WHERE cause = 'purged'";

fn days(days: i64) -> chrono::DateTime<chrono::Utc> {
    now() - TimeDelta::days(days)
}

async fn planned(world: &World, kind: &dyn BatchKind) -> Result<BatchPlan, PlanError> {
    let request = request(Uuid::now_v7());
    batch::plan(&at_now(&world.writer), kind, &request, &CancellationToken::new()).await
}

async fn frozen(world: &World, kind: &dyn BatchKind) -> Record {
    let plan = planned(world, kind).await.unwrap();
    let request = request(Uuid::now_v7());
    let (context, stop) = (at_now(&world.writer), CancellationToken::new());
    let (progress, _seen) = watch::channel(Progress::default());
    batch::start(&context, kind, &request, &plan.selected, &progress, &stop).await.unwrap().record
}

async fn run(world: &World, kind: &dyn BatchKind, operation: &Record) -> Record {
    let (context, stop) = (at_now(&world.writer), CancellationToken::new());
    let (progress, _seen) = watch::channel(Progress::default());
    batch::run(&context, kind, operation.id, &progress, &stop).await.unwrap()
}

async fn purged(world: &World, kind: &dyn BatchKind) -> Record {
    let operation = frozen(world, kind).await;
    run(world, kind, &operation).await
}

async fn reasons(world: &World, operation: &Record) -> Vec<String> {
    let mut conn = world.conn().await;
    let troubles = operations::troubles(&mut conn, operation.id, 20).await.unwrap();
    troubles.into_iter().map(|(outcome, why, count)| format!("{count} {outcome}: {why}")).collect()
}

async fn left(world: &World) -> Vec<OutboxId> {
    let left = "SELECT outbox_id FROM outbox_state ORDER BY 1";
    sqlx::query_scalar(left).fetch_all(&mut world.conn().await).await.unwrap()
}

#[tokio::test]
async fn only_what_was_delivered_long_ago_goes_with_copies() {
    let world = World::managed().await;
    let ids = outboxes(&world, 3, &[Some(30), Some(8), Some(9), Some(6), None]).await;
    let kind = Purge::outboxes(days(7));
    let all = world.dump(&[]).await;
    let plan = planned(&world, &kind).await.unwrap();
    assert_eq!(world.dump(&[]).await, all, "a plan leaves nothing behind, no number drawn");
    assert_eq!((plan.selected.items, plan.sample.len()), (3, 3));
    assert!(plan.effects.iter().any(|effect| effect.change == "- 3 rows"), "{plan:?}");
    assert!(plan.statements.iter().any(|text| text.starts_with("DELETE FROM")), "{plan:?}");
    // The card says the same.
    let asked = PlanRequest::new(kind.operation(None), Some("INC-7".to_owned()));
    let stop = CancellationToken::new();
    let plan = operation::plan(&at_now(&world.writer), asked, &stop).await.unwrap();
    assert_eq!(world.dump(&[]).await, all);
    let Steps::Batches(selected) = &plan.steps else { panic!("{plan:?}") };
    assert_eq!((selected.items, selected.cut, selected.goes_on), (3, false, None));
    assert!(plan.confirmation.phrase == "PURGE" && plan.listed.len() > 2, "{plan:?}");
    assert_eq!(
        plan.cli_equivalent,
        "orderscope messages purge --before 2026-11-15T19:00:00.123456Z --reason INC-7 --yes"
    );
    // Somebody is at work on one of them.
    let mut worker = world.conn().await;
    worker.execute("BEGIN").await.unwrap();
    let take = "SELECT * FROM outbox_state WHERE outbox_id = $1 FOR UPDATE";
    sqlx::query(take).bind(ids[1]).execute(&mut worker).await.unwrap();
    let tried = planned(&world, &kind).await.unwrap();
    assert!(tried.checks.iter().any(|check| check.text.contains("1 would not be done now")));
    let ended = purged(&world, &kind).await;
    assert_eq!(
        (ended.state, ended.counts),
        (State::Done, Counts { done: 2, skipped: 1, failed: 0 })
    );
    assert_eq!(reasons(&world, &ended).await, ["1 skipped: another session works on it"]);
    assert_eq!(left(&world).await, [ids[1], ids[3], ids[4]]);
    assert_eq!(world.count(COPIES).await, 6);
    worker.execute("ROLLBACK").await.unwrap();
    let ended = purged(&world, &kind).await;
    assert_eq!(ended.counts.done, 1);
    assert_eq!(left(&world).await, ids[3..]);
    assert_eq!(world.count("SELECT count(*) FROM outbox_message").await, 6);
    assert_eq!(world.count(COPIES).await, 9);
    let nothing = planned(&world, &kind).await.unwrap_err();
    assert_eq!(nothing, PlanError::Declined(Refusal::Nothing));
}

#[tokio::test]
async fn what_changed_since_it_was_listed_is_skipped_and_what_came_later_is_told() {
    let world = World::managed().await;
    let ids = outboxes(&world, 2, &[Some(30), Some(20), Some(10), Some(9)]).await;
    let kind = Purge::outboxes(days(7));
    let operation = frozen(&world, &kind).await;
    // One is delivered again, one is gone, and two more are there that are due by the same rule.
    let change = format!(
        "UPDATE outbox_state SET delivered = NULL WHERE outbox_id = '{}';
         DELETE FROM outbox_message WHERE outbox_id = '{gone}';
         DELETE FROM outbox_state WHERE outbox_id = '{gone}'",
        ids[0],
        gone = ids[1],
    );
    sql(&world, &change).await;
    let later = outboxes(&world, 1, &[Some(40), Some(50)]).await;
    let stop = CancellationToken::new();
    let db = orderscope::db::Db::new(&world.options, &orderscope::db::Limits::default());
    let number = operation.number;
    let shown = batch::show(&db, world.writer.layout(), number, &stop).await.unwrap();
    assert_eq!((shown.arrived, shown.record.left()), (Some(2), 4));
    let ended = run(&world, &kind, &operation).await;
    assert_eq!(ended.counts, Counts { done: 2, skipped: 2, failed: 0 });
    let why = reasons(&world, &ended).await;
    assert!(why.iter().any(|why| why.contains("gone: someone else removed it")), "{why:?}");
    assert!(why.iter().any(|why| why.contains("it changed since it was listed")), "{why:?}");
    assert_eq!(left(&world).await, [ids[0], later[0], later[1]]);
    assert_eq!(world.count(COPIES).await, 4);
    db.close().await;
}

#[tokio::test]
async fn an_outbox_of_very_many_messages_goes_in_several_transactions() {
    let world = World::managed().await;
    outboxes(&world, 1, &[Some(60)]).await;
    outboxes(&world, 4_400, &[Some(9)]).await;
    outboxes(&world, 1, &[Some(8)]).await;
    let ended = purged(&world, &Purge::outboxes(days(7))).await;
    assert_eq!((ended.state, ended.counts.done), (State::Done, 3));
    assert!(ended.batches > 3, "{ended:?}");
    assert_eq!(world.count("SELECT count(*) FROM outbox_message").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM outbox_state").await, 0);
    assert_eq!(world.count(COPIES).await, 4_402);
    let ids = "SELECT count(DISTINCT message_id) FROM orderscope.kept_messages";
    assert_eq!(world.count(ids).await, 4_402);
}

#[tokio::test]
async fn copies_that_are_missing_stop_it() {
    let world = World::managed().await;
    outboxes(&world, 1, &[Some(9), Some(10), Some(11), Some(12)]).await;
    // Somebody's trigger throws them away.
    sql(
        &world,
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN DELETE FROM orderscope.kept_messages; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON orderscope.kept_messages
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose()",
    )
    .await;
    let ended = purged(&world, &Purge::outboxes(days(7))).await;
    assert_eq!((ended.state, ended.counts.done), (State::Stopped, 1));
    assert!(ended.told.as_ref().unwrap().contains("of 1 copies of messages 0 are there"));
}

#[tokio::test]
async fn the_inbox_goes_but_for_what_messages_refer_to() {
    let world = World::managed().await;
    let [old, later, referred, young] = [
        inbox(&world, 9, true, Some(40)).await,
        inbox(&world, 9, true, Some(40)).await,
        inbox(&world, 9, true, Some(40)).await,
        inbox(&world, 9, true, Some(3)).await,
    ];
    let refer = |message| {
        format!(
            "INSERT INTO outbox_message (sent_time, inbox_message_id, inbox_consumer_id, message_id, content_type,
                 message_type, body) SELECT now(), message_id, consumer_id, gen_random_uuid(), 'x', 'y', 'z'
             FROM inbox_state WHERE message_id = '{message}'"
        )
    };
    sql(&world, &refer(referred)).await;
    let kind = Purge::inbox(days(30));
    let operation = frozen(&world, &kind).await;
    assert_eq!(operation.items, 2);
    sql(&world, &refer(later)).await;
    let ended = run(&world, &kind, &operation).await;
    assert_eq!(ended.counts, Counts { done: 1, skipped: 1, failed: 0 });
    let why = reasons(&world, &ended).await;
    assert_eq!(why, ["1 skipped: a message of the outbox refers to it"]);
    assert_eq!(received(&world).await, [later, referred, young]);
    // The list names what went, the journal has a hash of it.
    let mut conn = world.conn().await;
    let items = operations::items(&mut conn, operation.id, false, 0, 10).await.unwrap();
    assert_eq!(items[0].key["message"], old.to_string());
    let batches = operations::batches(&mut conn, operation.id, 0, 10).await.unwrap();
    assert_eq!(batches[0].evidence["sha256"].as_str().map(str::len), Some(64));
}

#[tokio::test]
async fn the_record_of_a_purge_does_not_grow_with_the_rows() {
    let world = World::managed().await;
    sql(
        &world,
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
         SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), at, 3, at, at
         FROM generate_series(1, 1200) i,
              LATERAL (SELECT timestamptz '2026-10-01T00:00:00Z' - i * interval '1 s') t (at)",
    )
    .await;
    let ended = purged(&world, &Purge::inbox(days(30))).await;
    assert_eq!(ended.counts.done, 1_200);
    assert_eq!(world.count("SELECT count(*) FROM inbox_state").await, 0);
    let kept = "SELECT max(length(value))::bigint FROM orderscope.audit_values";
    assert!(world.count(kept).await < 1_024);
    assert_eq!(world.count("SELECT count(*) FROM orderscope.audit").await, 2);
    let batches = "SELECT (sum(done) * 1000 + count(*))::bigint FROM orderscope.operation_batches";
    let batches = world.count(batches).await;
    assert_eq!(batches / 1_000, 1_200);
    assert!((6..15).contains(&(batches % 1_000)), "{batches}");
    // Oldest first.
    let first = "SELECT count(*) FROM orderscope.operation_batches
                 WHERE batch = 1 AND (evidence ->> 'from')::timestamptz = timestamptz '2026-09-30T23:40:00Z'";
    assert_eq!(world.count(first).await, 1);
}

#[tokio::test]
async fn failed_rows_of_the_service_go_unless_somebody_works_on_them() {
    for schema in SCHEMAS {
        // Three messages whose consumer always threw.
        let world = World::service(schema, "2-delivered", "'service'").await;
        let all = "SELECT count(*) FROM inbox_state";
        let failed = "SELECT count(*) FROM inbox_state WHERE consumed IS NULL";
        assert_eq!((world.count(all).await, world.count(failed).await), (33, 3));
        let mut consumer = world.conn().await;
        consumer.execute("BEGIN").await.unwrap();
        let take =
            "SELECT * FROM inbox_state WHERE consumed IS NULL ORDER BY id LIMIT 1 FOR UPDATE";
        consumer.execute(take).await.unwrap();
        let kind = Purge::failed(now() - TimeDelta::minutes(1));
        let ended = purged(&world, &kind).await;
        assert_eq!(ended.counts, Counts { done: 2, skipped: 1, failed: 0 });
        assert_eq!((world.count(all).await, world.count(failed).await), (31, 1));
        consumer.execute("ROLLBACK").await.unwrap();
        purged(&world, &kind).await;
        assert_eq!((world.count(all).await, world.count(failed).await), (30, 0));
    }
}

#[tokio::test]
async fn outboxes_and_inbox_of_the_service_are_purged_as_ours_are() {
    for schema in SCHEMAS {
        let world = World::service(schema, "3-paused", "'service'").await;
        sql(
            &world,
            "UPDATE outbox_state SET delivered = '2026-10-01Z', last_sequence_number = 1000000;
             UPDATE inbox_state SET delivered = '2026-10-01Z', consumed = '2026-10-01Z'",
        )
        .await;
        let (states, messages) = (
            "SELECT count(*) FROM outbox_state",
            "SELECT count(*) FROM outbox_message WHERE outbox_id IS NOT NULL",
        );
        let (outboxes, copied) = (world.count(states).await, world.count(messages).await);
        assert!(outboxes > 0 && copied > 0, "{schema:?}: {outboxes} {copied}");
        let plan = planned(&world, &Purge::outboxes(days(7))).await.unwrap();
        assert!(
            plan.checks.iter().any(|check| check.text.contains("MassTransit removes them itself"))
        );
        let ended = purged(&world, &Purge::outboxes(days(7))).await;
        assert_eq!(ended.counts.done, outboxes.unsigned_abs());
        assert_eq!((world.count(states).await, world.count(messages).await), (0, 0));
        assert_eq!(world.count(COPIES).await, copied);
        let ended = purged(&world, &Purge::inbox(days(30))).await;
        assert_eq!((ended.state, ended.counts.failed), (State::Done, 0));
    }
}

#[tokio::test]
async fn a_schema_without_operations_is_said_to_be_behind() {
    let world = World::managed().await;
    inbox(&world, 9, true, Some(40)).await;
    sql(
        &world,
        "DROP TABLE orderscope.operation_items, orderscope.operation_batches, orderscope.operations",
    )
    .await;
    let plan = planned(&world, &Purge::inbox(days(30))).await.unwrap();
    assert!(plan.checks[0].forbids());
    assert!(plan.checks[0].text.contains("older than this program"), "{plan:?}");
    let db = orderscope::db::Db::new(&world.options, &orderscope::db::Limits::default());
    let stop = CancellationToken::new();
    assert_eq!(batch::list(&db, Which::All, 10, &stop).await.unwrap(), []);
    let unknown = batch::show(&db, world.writer.layout(), 1, &stop).await.unwrap_err();
    assert_eq!(unknown, PlanError::NoOperation(1));
    db.close().await;
}

#[tokio::test]
async fn resuming_is_planned_confirmed_and_recorded_like_every_operation() {
    let world = World::managed().await;
    outboxes(&world, 2, &[Some(30), Some(20), Some(10)]).await;
    let kind = Purge::outboxes(days(7));
    let operation = frozen(&world, &kind).await;
    let (context, stop) = (at_now(&world.writer), CancellationToken::new());
    let (progress, _seen) = watch::channel(Progress::default());
    let number = operation.number;
    let ask =
        || PlanRequest::new(Operation::Resume(number), Some("the disk is still full".to_owned()));
    let all = world.dump(&[]).await;
    let plan = operation::plan(&context, ask(), &stop).await.unwrap();
    assert_eq!(world.dump(&[]).await, all, "a plan leaves nothing behind");
    let change = format!("operation {number}, PurgeOutbox: ready → running");
    assert_eq!(plan.effects[0].change, change);
    let said: Vec<_> = plan.checks.iter().map(|check| check.text.as_str()).collect();
    assert!(said.iter().any(|text| text.contains("3 left")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("nobody has run it yet")), "{said:?}");
    let typed = Confirmation::Typed("PURGE");
    let refused = operation::run(&context, &plan, typed, &progress, &stop).await;
    assert!(matches!(refused, Err(PlanError::Unconfirmed { .. })), "{refused:?}");
    // Somebody else ran it in between.
    let moved = "UPDATE orderscope.operations SET state = 'paused', runner = 'huong@ws-2', started_at = now()";
    sql(&world, moved).await;
    let yes = Confirmation::Typed("RESUME");
    let stale = operation::run(&context, &plan, yes, &progress, &stop).await.unwrap_err();
    assert!(stale.to_string().contains("ready after 0 items → paused after 0 items"), "{stale}");
    assert!(stale.to_string().contains("by huong@ws-2"), "{stale}");
    assert_eq!(left(&world).await.len(), 3);

    let plan = operation::plan(&context, ask(), &stop).await.unwrap();
    let said: Vec<_> = plan.checks.iter().map(|check| check.text.as_str()).collect();
    assert!(said.iter().any(|text| text.contains("last run by huong@ws-2")), "{said:?}");
    let done = operation::run(&context, &plan, yes, &progress, &stop).await.unwrap();
    assert_eq!((done.spec.name, done.partly, done.id), ("ResumeOperation", false, plan.request.id));
    assert!(left(&world).await.is_empty());
    let filter = format!(
        "SELECT count(*) FROM orderscope.audit a JOIN orderscope.audit_values v USING (number)
         WHERE a.number = {} AND a.intent = 'ResumeOperation' AND 'operation {number}' = ANY(a.targets)
           AND v.part = 'reason' AND v.value = 'the disk is still full'",
        done.audit.unwrap()
    );
    let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(filter))
        .fetch_one(&mut world.conn().await)
        .await
        .unwrap();
    assert_eq!(found, 1);
    let over = operation::plan(&context, ask(), &stop).await.unwrap_err();
    assert!(over.to_string().contains("it is over (done)"), "{over}");
}
