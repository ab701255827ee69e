//! Plans: they tell exactly what a run writes, and leave nothing behind themselves.

use std::time::Duration;

use orderscope::{
    db::{self, Limits},
    domain::decide::{Address, Command},
    domain::id::{OrderId, Version},
    ops::operation::{PlanError, PlanRequest, Verdict},
};
use serde_json::Value;
use sqlx::{Connection, Executor};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::world::{World, cancel, create, execute, limited, now, plan, request, run, writer};
use crate::support::fixture::Schema;

#[tokio::test]
async fn dry_runs_leave_every_table_and_every_sequence_untouched() {
    let managed = World::managed().await;
    let buyer = managed.buyer().await;
    let (id, deleted) = (managed.order(buyer).await, managed.order(buyer).await);
    managed.run(Command::DeleteOrder { id: deleted }).await.unwrap();
    let mine = (managed, buyer, id, Some(deleted));
    let mut worlds = vec![mine];
    for schema in [Schema::Marten9, Schema::Document] {
        let world = World::service(schema, "3-paused", "'outbox'").await;
        let mut conn = world.conn().await;
        let (id, buyer) =
            sqlx::query_as("SELECT id, buyer_id FROM orders WHERE status = 0 LIMIT 1")
                .fetch_one(&mut conn)
                .await
                .unwrap();
        worlds.push((world, buyer, id, None));
    }
    for (world, buyer, id, deleted) in worlds {
        let before = world.dump(&[]).await;
        let mut commands = vec![
            create(buyer),
            Command::CompleteOrder { id },
            cancel(id),
            Command::DeleteOrder { id },
            Command::CreateBuyer {
                id: orderscope::domain::id::BuyerId(Uuid::now_v7()),
                name: "Mai".to_owned(),
                address: Address::default(),
            },
            Command::UpdateBuyerAddress { id: buyer, address: Address::default() },
        ];
        commands.extend(deleted.map(|id| Command::RestoreOrder { id }));
        for command in commands {
            let made = world.plan(command.clone()).await.unwrap();
            assert!(!made.is_blocked(), "{:?}", made.checks);
            assert!(!made.effects.is_empty() && !made.listed.is_empty(), "{command:?}");
            assert!(
                made.cli_equivalent.starts_with("orderscope ")
                    && made.cli_equivalent.ends_with("--yes")
            );
            assert!(made.listed.iter().all(|one| !one.text.contains("nextval")));
        }
        assert_eq!(world.dump(&[]).await, before);
    }
}

#[tokio::test]
async fn a_run_writes_what_its_plan_showed() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let made = world.plan(cancel(id)).await.unwrap();
    assert_eq!(
        (made.confirmation.phrase.as_str(), made.title.clone()),
        ("CANCEL", format!("cancel order {}", id.short()))
    );
    let tables: Vec<_> = made.effects.iter().map(|effect| &*effect.place).collect();
    let expected = [
        "orders",
        "mt_streams",
        "mt_doc_ordersummaryview",
        "outbox_state",
        "outbox_message",
        "mt_events",
    ];
    assert_eq!(tables, expected);
    assert_eq!(made.effects[0].change, "status New → Cancelled, last_modified_at");
    assert_eq!(made.effects[1].change, "version 1 → 2");
    assert!(made.effects[5].change.contains("OrderCancelled v2"));
    assert!(
        made.cli_equivalent.contains(&format!("order cancel {id}"))
            && made.cli_equivalent.contains("--expect-version 1")
    );

    let done = run(&world.writer, &made, now()).await.unwrap();
    assert_eq!((done.id, done.version), (made.request.id, Some(Version(2))));
    let known = world.agrees(id, 2).await;
    let event = made.effects[5].after.as_ref().unwrap();
    assert_eq!(event["id"], known.history.events[1].id.0.to_string());
    assert_eq!(event["data"], known.history.events[1].body);
    let message = made.effects[4].after.as_ref().unwrap();
    assert_eq!(message["message_id"], known.history.messages[1].id.0.to_string());
    let row = world.value("SELECT to_jsonb(o) FROM orders o WHERE id = $1", id.0).await;
    assert_eq!(made.effects[0].after.as_ref(), Some(&row));
    let before: &Value = made.effects[0].before.as_ref().unwrap();
    assert_eq!((before["status"].as_i64(), row["status"].as_i64()), (Some(0), Some(1)));
}

#[tokio::test]
async fn a_plan_is_stale_when_anything_moved_and_says_who_moved_it() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let other = writer(&world.options, "kim").await.unwrap();
    let moves: [fn(OrderId, orderscope::domain::id::BuyerId) -> Command; 3] = [
        |id, _| Command::CompleteOrder { id },
        |id, _| Command::DeleteOrder { id },
        |_, buyer| Command::UpdateBuyerAddress { id: buyer, address: Address::default() },
    ];
    for (what, command) in ["version 1 → 2", "the order's row", "the buyer's row"].iter().zip(moves)
    {
        let id = world.order(buyer).await;
        let made = world.plan(cancel(id)).await.unwrap();
        let moved = request(command(id, buyer));
        execute(&other, &moved, now()).await.unwrap();
        let before = world.dump(&[]).await;
        match run(&world.writer, &made, now()).await {
            Err(PlanError::Stale(moved)) => {
                assert!(moved.what.contains(what), "{moved}");
                assert_eq!((moved.who.as_deref(), moved.when), (Some("kim"), Some(now())));
            }
            ended => panic!("{what}: {ended:?}"),
        }
        assert_eq!(world.dump(&[]).await, before);
    }
}

#[tokio::test]
async fn an_expected_version_that_is_not_there_is_a_conflict() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let wanted = PlanRequest { expect: Some(Version(7)), ..request(cancel(id)) };
    let before = world.dump(&[]).await;
    match execute(&world.writer, &wanted, now()).await {
        Err(PlanError::Conflict(moved)) => {
            assert_eq!(moved.what, "the version is 1, not 7");
            assert_eq!(moved.who.as_deref(), Some("mai"));
        }
        ended => panic!("{ended:?}"),
    }
    assert_eq!(world.dump(&[]).await, before);
    let wanted = PlanRequest { expect: Some(Version(1)), ..request(cancel(id)) };
    execute(&world.writer, &wanted, now()).await.unwrap();
}

#[tokio::test]
async fn a_plan_says_what_to_know_before() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let later = now() + chrono::TimeDelta::hours(3);
    let stop = CancellationToken::new();
    let made = plan(&world.writer, request(cancel(id)), later, &stop).await.unwrap();
    let says = |verdict, part: &str| {
        made.checks.iter().any(|check| check.verdict == verdict && check.text.contains(part))
    };
    assert!(says(Verdict::Ok, "status is New: row, events and view agree"), "{:?}", made.checks);
    assert!(says(Verdict::Ok, "version is 1; will append v2"));
    assert!(says(Verdict::Ok, "no command waits in the inbox"));
    assert!(says(Verdict::Warn, "outbox suspected stalled"));
    assert!(says(Verdict::Warn, "no e-mail"));

    let mut conn = world.conn().await;
    sqlx::query("UPDATE orders SET status = 2 WHERE id = $1")
        .bind(id)
        .execute(&mut conn)
        .await
        .unwrap();
    let made = plan(&world.writer, request(cancel(id)), later, &stop).await.unwrap();
    assert!(made.is_blocked() && made.effects.is_empty(), "{:?}", made.checks);
    assert!(matches!(run(&world.writer, &made, later).await, Err(PlanError::Blocked(_))));
    let direct = world.run(cancel(id)).await;
    assert!(matches!(direct, Err(PlanError::Blocked(_))), "{direct:?}");
}

#[tokio::test]
async fn a_plan_that_is_no_longer_wanted_ends() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let stop = CancellationToken::new();
    stop.cancel();
    // On a task of its own, as the console runs it.
    let writer = world.writer.clone();
    let ended = tokio::spawn(async move { plan(&writer, request(cancel(id)), now(), &stop).await });
    let ended = ended.await.unwrap();
    assert_eq!(ended, Err(PlanError::Database(orderscope::db::Error::Cancelled)));
}

/// A writer whose plans may hold locks for a moment only.
async fn hasty(world: &World) -> orderscope::ops::operation::Writer {
    let long = Duration::from_mins(1);
    let planning = Duration::from_millis(400);
    let limits =
        Limits { statement: long, planning, connect: long, acquire: long, ..Limits::default() };
    limited(&world.options, "mai", &limits).await.unwrap()
}

/// Nobody holds the order, and nothing of it was changed.
async fn is_free(world: &World, id: OrderId) {
    let free = "SELECT status FROM orders WHERE id = $1 FOR UPDATE NOWAIT";
    let mut conn = world.conn().await;
    let status: i16 = sqlx::query_scalar(free).bind(id).fetch_one(&mut conn).await.unwrap();
    assert_eq!(status, 0);
}

#[tokio::test]
async fn a_plan_gives_up_what_someone_else_holds() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let writer = hasty(&world).await;
    let stop = CancellationToken::new();
    let holds = [
        "SELECT FROM orders WHERE id = $1 FOR UPDATE",
        "SELECT FROM mt_streams WHERE id = $1 FOR UPDATE",
        "SELECT FROM mt_doc_ordersummaryview WHERE id = $1 FOR UPDATE",
    ];
    for hold in holds {
        let mut other = world.conn().await;
        let mut held = other.begin().await.unwrap();
        sqlx::query(hold).bind(id).execute(&mut *held).await.unwrap();
        let error = plan(&writer, request(cancel(id)), now(), &stop).await.unwrap_err();
        assert!(matches!(&error, PlanError::Database(db::Error::Locked(_))), "{hold}: {error:?}");
        assert!(error.to_string().starts_with("another session holds a lock on it"), "{error}");
        held.rollback().await.unwrap();
        is_free(&world, id).await;
    }
    plan(&writer, request(cancel(id)), now(), &stop).await.unwrap();
}

#[tokio::test]
async fn a_plan_that_takes_too_long_is_cut_and_lets_go() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let writer = hasty(&world).await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN PERFORM pg_sleep(3600); RETURN NEW; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON outbox_message FOR EACH ROW EXECUTE FUNCTION slow()";
    world.conn().await.execute(slow).await.unwrap();
    let before = world.dump(&[]).await;
    let stop = CancellationToken::new();
    let error = plan(&writer, request(cancel(id)), now(), &stop).await.unwrap_err();
    let limit = Duration::from_millis(400);
    assert_eq!(error, PlanError::Database(db::Error::TimedOut(limit)));
    assert!(error.to_string().starts_with("no answer within 400 ms"), "{error}");
    is_free(&world, id).await;
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn documents_that_are_guarded_by_an_id_are_written_and_read() {
    let world = World::managed().await;
    let retype = "ALTER TABLE mt_doc_ordersummaryview ALTER COLUMN mt_version DROP DEFAULT,
                  ALTER COLUMN mt_version TYPE uuid USING gen_random_uuid()";
    world.conn().await.execute(retype).await.unwrap();
    let world = World::open(world.options).await;
    let version = "SELECT to_jsonb(mt_version) FROM mt_doc_ordersummaryview WHERE id = $1";
    let id = world.order(world.buyer().await).await;
    let known = world.agrees(id, 1).await;
    assert_eq!(known.summary.unwrap().mt_version, None);
    let placed: Uuid = serde_json::from_value(world.value(version, id.0).await).unwrap();
    let made = world.plan(cancel(id)).await.unwrap();
    assert!(made.effects.iter().any(|effect| effect.place == "mt_doc_ordersummaryview"));
    run(&world.writer, &made, now()).await.unwrap();
    world.agrees(id, 2).await;
    let cancelled: Uuid = serde_json::from_value(world.value(version, id.0).await).unwrap();
    assert_ne!(placed, cancelled);
}
