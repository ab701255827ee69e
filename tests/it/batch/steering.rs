//! Pause, resume, cancel; two that want to run the same one; one whose process is gone.

use orderscope::{
    db::operations,
    domain::batch::{Counts, State},
    ops::operation::{
        PlanError,
        batch::{self, Which},
    },
};

use super::marks::{
    Background, MARKS, background, begun, cancelling, context, counted, driven, pausing, sql, world,
};
use crate::commands::world::{World, writer};

/// So slow that a test finds it running.
const SLOW: Option<u32> = Some(4);

async fn moving(background: &mut Background) {
    background.progress.wait_for(|progress| progress.done > 0).await.unwrap();
}

async fn now(world: &World, number: i64) -> operations::Record {
    let mut conn = world.conn().await;
    operations::find(&mut conn, Which::Number(number)).await.unwrap().unwrap()
}

#[tokio::test]
async fn it_is_paused_by_another_console_resumed_and_cancelled() {
    let world = world(200).await;
    let other = writer(&world.options, "huong").await.unwrap();
    let operation = begun(&world.writer, &MARKS, SLOW).await;
    let number = operation.number;
    let idle = batch::pause(&context(&other), &pausing(number), number).await.unwrap_err();
    assert!(idle.to_string().contains("it is not running"), "{idle}");

    let mut running = background(&world.writer, &operation);
    moving(&mut running).await;
    let live = now(&world, number).await;
    assert!(live.held && !live.is_interrupted(), "{live:?}");
    let asked = batch::pause(&context(&other), &pausing(number), number).await.unwrap();
    assert!(asked.asked.unwrap().starts_with("mai@ws-1 since"));
    let paused = running.task.await.unwrap().unwrap();
    assert_eq!((paused.state, paused.wanted, paused.held), (State::Paused, None, false));
    assert_eq!(paused.told.as_deref(), Some("another session asked for it"));
    let done = paused.counts.done;
    assert!(done > 0 && paused.left() > 0, "{paused:?}");

    // Somebody else goes on with it, and stops it themselves.
    let mut running = background(&other, &operation);
    running.progress.wait_for(|progress| progress.done > done).await.unwrap();
    running.stop.cancel();
    let paused = running.task.await.unwrap().unwrap();
    assert_eq!((paused.state, paused.told.as_deref()), (State::Paused, Some("by huong@ws-1")));

    let mut running = background(&other, &operation);
    running.progress.wait_for(|progress| progress.done > paused.counts.done).await.unwrap();
    batch::cancel(&context(&world.writer), &cancelling(number, "no longer needed"), number)
        .await
        .unwrap();
    let cancelled = running.task.await.unwrap().unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    let untouched = i64::try_from(cancelled.left()).unwrap();
    assert_eq!(counted(&world).await, [(0, untouched), (1, 200 - untouched)]);
    let over = driven(&world.writer, &MARKS, &operation).await.unwrap_err();
    assert!(over.to_string().contains("it is over (cancelled)"), "{over}");
    let records = "SELECT array_agg(intent ORDER BY number)::text FROM orderscope.audit";
    let records: String =
        sqlx::query_scalar(records).fetch_one(&mut world.conn().await).await.unwrap();
    assert_eq!(records, "{CountMarks,PauseOperation,CancelOperation,CountMarks}");
}

#[tokio::test]
async fn one_that_nobody_runs_is_cancelled_at_once() {
    let world = world(5).await;
    let operation = begun(&world.writer, &MARKS, None).await;
    let cancelled = batch::cancel(
        &context(&world.writer),
        &cancelling(operation.number, "a mistake"),
        operation.number,
    )
    .await;
    let cancelled = cancelled.unwrap();
    assert_eq!((cancelled.record.state, cancelled.asked), (State::Cancelled, None));
    assert_eq!(counted(&world).await, [(0, 5)]);
    let ended = cancelled.record.audit_ended.unwrap();
    let reason = format!(
        "SELECT value FROM orderscope.audit_values WHERE number = {ended} AND part = 'reason'"
    );
    let reason: String = sqlx::query_scalar(sqlx::AssertSqlSafe(reason))
        .fetch_one(&mut world.conn().await)
        .await
        .unwrap();
    assert_eq!(reason, "a mistake");
    let unknown =
        batch::cancel(&context(&world.writer), &cancelling(99, "x"), 99).await.unwrap_err();
    assert_eq!(unknown, PlanError::NoOperation(99));
}

#[tokio::test]
async fn two_cannot_run_the_same_one() {
    let world = world(100).await;
    let other = writer(&world.options, "huong").await.unwrap();
    let operation = begun(&world.writer, &MARKS, SLOW).await;
    let mut running = background(&world.writer, &operation);
    moving(&mut running).await;
    let refused = driven(&other, &MARKS, &operation).await.unwrap_err();
    let PlanError::Busy { number, who } = &refused else { panic!("{refused:?}") };
    assert!(*number == operation.number && who.starts_with("mai@ws-1 since"), "{who}");
    assert!(!running.task.is_finished());
    // Another operation may run beside it.
    let second = begun(&other, &MARKS, None).await;
    assert_eq!(driven(&other, &MARKS, &second).await.unwrap().state, State::Done);
    running.stop.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn whose_process_is_gone_is_interrupted_and_goes_on_elsewhere() {
    let world = world(60).await;
    let operation = begun(&world.writer, &MARKS, SLOW).await;
    let mut running = background(&world.writer, &operation);
    moving(&mut running).await;
    running.task.abort();
    while now(&world, operation.number).await.held {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let gone = now(&world, operation.number).await;
    assert!(gone.is_interrupted(), "{gone:?}");
    sql(&world, "UPDATE orderscope.operations SET rate = NULL").await;
    let other = writer(&world.options, "huong").await.unwrap();
    let ended = driven(&other, &MARKS, &operation).await.unwrap();
    assert_eq!(ended.state, State::Done);
    assert_eq!(ended.counts, Counts { done: 60, skipped: 0, failed: 0 });
    assert_eq!(ended.runner.as_deref(), Some("huong@ws-1"));
    assert_eq!(counted(&world).await, [(1, 60)]);
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_opened_again() {
    let world = world(40).await;
    let operation = begun(&world.writer, &MARKS, SLOW).await;
    let mut running = background(&world.writer, &operation);
    moving(&mut running).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'orderscope/operation'";
    assert!(world.count(end).await > 0);
    let before = running.progress.borrow().done;
    running.progress.wait_for(|progress| progress.done > before).await.unwrap();
    running.stop.cancel();
    let paused = running.task.await.unwrap().unwrap();
    assert_eq!(paused.state, State::Paused);
    let done = i64::try_from(paused.counts.done).unwrap();
    assert_eq!(counted(&world).await, [(0, 40 - done), (1, done)]);
}
