//! The engine with a kind of its own: the ramp, the frozen list, the stop rule, the verification, the record.

use std::time::Duration;

use orderscope::{
    db::{Limits, operations},
    domain::{
        batch::{Counts, State},
        outbox_action::Refusal,
    },
    ops::{
        audit,
        operation::{
            PlanError, Progress,
            batch::{self, Which},
        },
    },
};
use sqlx::Executor;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::marks::{MARKS, Marks, begun, context, counted, driven, marks, request, sql, world};
use crate::commands::world::{World, limited};

#[tokio::test]
async fn every_item_is_done_once_up_the_ramp_and_on_record() {
    let world = world(100).await;
    let (all, stop) = (world.dump(&[]).await, CancellationToken::new());
    let context = context(&world.writer);
    let asked = request(Uuid::now_v7());
    let plan = batch::plan(&context, &MARKS, &asked, &stop).await.unwrap();
    assert_eq!(world.dump(&[]).await, all, "a plan leaves nothing behind");
    assert_eq!((plan.selected.items, plan.sample.len(), plan.selected.goes_on), (100, 25, None));
    let (progress, seen) = watch::channel(Progress::default());
    let started =
        batch::start(&context, &MARKS, &asked, &plan.selected, &progress, &stop).await.unwrap();
    let operation = started.record;
    assert_eq!((operation.state, operation.items, started.before), (State::Ready, 100, false));
    assert_eq!(counted(&world).await, [(0, 100)]);

    let ended = batch::run(&context, &MARKS, operation.id, &progress, &stop).await.unwrap();
    assert_eq!((ended.state, ended.left(), ended.held), (State::Done, 0, false));
    assert_eq!(ended.counts, Counts { done: 100, skipped: 0, failed: 0 });
    assert_eq!((seen.borrow().done, seen.borrow().of), (100, 100));
    assert_eq!(counted(&world).await, [(1, 100)]);
    let mut conn = world.conn().await;
    let batches = operations::batches(&mut conn, operation.id, 0, 100).await.unwrap();
    let sizes: Vec<_> = batches.iter().map(|batch| batch.done).collect();
    assert_eq!(sizes, [1, 5, 25, 69]);
    assert_eq!((ended.batches, ended.verified), (4, 4));
    assert!(batches.iter().all(|batch| batch.login == "postgres" && batch.operator == "mai"));

    // Begun and ended, in one chain, each found by the operation.
    let filter = audit::Filter {
        target: Some(format!("operation {}", operation.number)),
        ..audit::Filter::default()
    };
    let entries = orderscope::db::audit::list(&mut conn, &filter, 10).await.unwrap();
    let [end, begin] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((begin.operation, begin.intent.as_str()), (operation.id, "CountMarks"));
    assert_eq!(begin.reason.as_deref(), Some("INC-7"));
    assert_eq!(begin.after.as_ref().unwrap()["items"], 100);
    let became = end.after.as_ref().unwrap();
    assert_eq!((&became["became"], &became["done"]), (&"done".into(), &100.into()));
    assert_eq!(became["sha256"].as_str().unwrap().len(), 64);
    assert_eq!((ended.audit_begun, ended.audit_ended), (Some(begin.number), Some(end.number)));
    // The journal of batches cannot be rewritten.
    let rewrite = "UPDATE orderscope.operation_batches SET done = 0";
    assert!(conn.execute(rewrite).await.unwrap_err().to_string().contains("append-only"));
    // The same once more is not done again.
    let again =
        batch::start(&context, &MARKS, &asked, &plan.selected, &progress, &stop).await.unwrap();
    assert_eq!((again.before, again.record.state), (true, State::Done));
    let over = driven(&world.writer, &MARKS, &operation).await.unwrap_err();
    assert!(over.to_string().contains("it is over (done)"), "{over}");
}

#[tokio::test]
async fn what_arrives_after_the_list_was_frozen_stays() {
    let world = world(40).await;
    let operation = begun(&world.writer, &MARKS, None).await;
    sql(&world, "INSERT INTO marks SELECT i FROM generate_series(41, 50) i").await;
    sql(&world, "DELETE FROM marks WHERE id = 7").await;
    let ended = driven(&world.writer, &MARKS, &operation).await.unwrap();
    assert_eq!(ended.counts, Counts { done: 39, skipped: 1, failed: 0 });
    assert_eq!(counted(&world).await, [(0, 10), (1, 39)]);
    let mut conn = world.conn().await;
    let troubles = operations::troubles(&mut conn, operation.id, 10).await.unwrap();
    assert_eq!(troubles, [("skipped".to_owned(), "it is gone".to_owned(), 1)]);
}

#[tokio::test]
async fn more_than_the_plan_showed_is_not_done() {
    let world = world(10).await;
    let (context, stop) = (context(&world.writer), CancellationToken::new());
    let asked = request(Uuid::now_v7());
    let plan = batch::plan(&context, &MARKS, &asked, &stop).await.unwrap();
    sql(&world, "INSERT INTO marks VALUES (11)").await;
    let (progress, _seen) = watch::channel(Progress::default());
    let grown =
        batch::start(&context, &MARKS, &asked, &plan.selected, &progress, &stop).await.unwrap_err();
    assert_eq!(grown, PlanError::Grown { planned: 10 });
    let mut conn = world.conn().await;
    let left = operations::find(&mut conn, Which::Id(asked.id)).await.unwrap().unwrap();
    assert_eq!((left.state, left.audit_begun), (State::Cancelled, None));
    assert!(left.told.unwrap().contains("out of date"));
    assert_eq!(counted(&world).await, [(0, 11)]);
    // Fewer is fine: what is gone is not done.
    let asked = request(Uuid::now_v7());
    let plan = batch::plan(&context, &MARKS, &asked, &stop).await.unwrap();
    sql(&world, "DELETE FROM marks WHERE id > 9").await;
    let started =
        batch::start(&context, &MARKS, &asked, &plan.selected, &progress, &stop).await.unwrap();
    assert_eq!(started.record.items, 9);
    sql(&world, "DELETE FROM marks").await;
    // The same id goes on with the list of then; another one finds nothing.
    let again = batch::plan(&context, &MARKS, &asked, &stop).await.unwrap();
    assert_eq!(again.selected.goes_on, Some(started.record.number));
    let asked = request(Uuid::now_v7());
    let nothing = batch::plan(&context, &MARKS, &asked, &stop).await;
    assert_eq!(nothing.unwrap_err(), PlanError::Declined(Refusal::Nothing));
}

#[tokio::test]
async fn a_failed_item_stops_it_and_whoever_resumes_accepts_it() {
    let world = world(60).await;
    sql(&world, "UPDATE marks SET bad = 'fails' WHERE id IN (10, 40)").await;
    let operation = begun(&world.writer, &MARKS, None).await;
    let stopped = driven(&world.writer, &MARKS, &operation).await.unwrap();
    assert_eq!(stopped.state, State::Stopped);
    assert_eq!(stopped.told.as_deref(), Some("1 items failed: it stops at the first"));
    // The step of the ramp in which it failed was done as a whole, and nothing after it.
    assert_eq!(stopped.counts, Counts { done: 30, skipped: 0, failed: 1 });
    assert_eq!(counted(&world).await, [(0, 30), (1, 30)]);
    // The next failure is in the last batch: there is nothing left to stop.
    let ended = driven(&world.writer, &MARKS, &stopped).await.unwrap();
    assert_eq!(ended.state, State::Done);
    assert_eq!(ended.counts, Counts { done: 58, skipped: 0, failed: 2 });
    assert_eq!(counted(&world).await, [(0, 2), (1, 58)]);

    // A kind may bear some.
    let patient = Marks { failures: 2 };
    let operation = begun(&world.writer, &patient, None).await;
    let ended = driven(&world.writer, &patient, &operation).await.unwrap();
    assert_eq!((ended.state, ended.counts.failed), (State::Done, 2));
}

#[tokio::test]
async fn a_failed_verification_stops_it_at_once() {
    let world = world(60).await;
    sql(&world, "UPDATE marks SET bad = 'unverified' WHERE id = 3").await;
    let operation = begun(&world.writer, &MARKS, None).await;
    let stopped = driven(&world.writer, &MARKS, &operation).await.unwrap();
    assert_eq!((stopped.state, stopped.counts.done), (State::Stopped, 6));
    assert_eq!((stopped.batches, stopped.verified), (2, 1));
    assert!(stopped.told.as_ref().unwrap().contains("mark 3 is wrong"), "{:?}", stopped.told);
    assert_eq!(counted(&world).await, [(0, 54), (1, 6)]);
    let ended = driven(&world.writer, &MARKS, &stopped).await.unwrap();
    assert_eq!((ended.state, ended.counts.done), (State::Done, 60));
}

#[tokio::test]
async fn an_item_that_takes_several_transactions_gets_its_outcome_once() {
    let world = world(50).await;
    sql(&world, "UPDATE marks SET bad = 'large' WHERE id IN (1, 4, 40)").await;
    let operation = begun(&world.writer, &MARKS, None).await;
    let ended = driven(&world.writer, &MARKS, &operation).await.unwrap();
    assert_eq!((ended.state, ended.counts.done), (State::Done, 50));
    assert_eq!(counted(&world).await, [(1, 50)]);
    let mut conn = world.conn().await;
    let batches = operations::batches(&mut conn, operation.id, 0, 100).await.unwrap();
    let without = batches.iter().filter(|batch| batch.last < batch.first).count();
    assert_eq!(without, 3, "{batches:?}");
    assert_eq!(batches.iter().map(|batch| batch.done).sum::<i32>(), 50);
}

#[tokio::test]
async fn batches_that_take_too_long_are_undone_and_made_smaller() {
    for options in [World::managed().await.options, World::oldest().await.options] {
        let limits = Limits {
            statement: Duration::from_millis(800),
            planning: Duration::from_secs(60),
            connect: Duration::from_secs(60),
            acquire: Duration::from_secs(60),
            ..Limits::default()
        };
        let writer = limited(&options, "mai", &limits).await.unwrap();
        let world = World { options, writer };
        marks(&world, 160).await;
        sql(&world, "UPDATE marks SET bad = 'slow'").await;
        let operation = begun(&world.writer, &MARKS, None).await;
        let ended = driven(&world.writer, &MARKS, &operation).await.unwrap();
        assert_eq!((ended.state, ended.counts.done), (State::Done, 160), "{ended:?}");
        assert_eq!(counted(&world).await, [(1, 160)]);
        let mut conn = world.conn().await;
        let batches = operations::batches(&mut conn, operation.id, 0, 200).await.unwrap();
        assert!(
            batches.iter().all(|batch| batch.done < 129),
            "the rest is not one batch: {batches:?}"
        );
        world.writer.close().await;
    }
}
