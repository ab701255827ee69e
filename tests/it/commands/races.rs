//! Real concurrency: many tasks, one outcome each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::join_all;
use orderscope::{
    domain::{
        decide::{Command, NewLine, Refusal},
        id::OrderId,
    },
    ops::operation::{Operation, PlanError, Writer},
};

use uuid::Uuid;

use super::world::{World, cancel, create, execute, now, request, writer};

const TASKS: usize = 32;
const ORDERS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_end_each_order_once() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let mut orders = Vec::new();
    for _ in 0..ORDERS {
        orders.push(world.order(buyer).await);
    }
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        // Eight consoles, each with its own sessions, four tasks to a console.
        let name = format!("operator {}", task % 8);
        let writer = match tasks.get(task % 8) {
            Some((writer, _)) if task >= 8 => Writer::clone(writer),
            _ => writer(&world.options, &name).await.unwrap(),
        };
        tasks.push((writer, task));
    }
    // All start with the same order, and go on with those that nobody is known to have ended.
    let ended = Arc::new(Mutex::new(BTreeSet::new()));
    let late = Arc::new(AtomicUsize::new(0));
    let runs = tasks.into_iter().map(|(writer, task)| {
        let (orders, ended, late) = (orders.clone(), Arc::clone(&ended), Arc::clone(&late));
        tokio::spawn(async move {
            let mut done: BTreeMap<OrderId, &'static str> = BTreeMap::new();
            for id in orders {
                if ended.lock().unwrap().contains(&id) {
                    continue;
                }
                let (name, command) = if task % 2 == 0 {
                    ("Completed", Command::CompleteOrder { id })
                } else {
                    ("Cancelled", cancel(id))
                };
                match execute(&writer, &request(command), now()).await {
                    Ok(_) => assert_eq!(done.insert(id, name), None),
                    Err(PlanError::Refused(Refusal::NotNew { .. })) => {
                        late.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(other) => panic!("{other:?}"),
                }
                ended.lock().unwrap().insert(id);
            }
            done
        })
    });
    let mut outcomes: BTreeMap<OrderId, &'static str> = BTreeMap::new();
    for ended in join_all(runs).await {
        for (id, name) in ended.unwrap() {
            assert_eq!(outcomes.insert(id, name), None, "{id} ended twice");
        }
    }
    assert_eq!(outcomes.len(), ORDERS);
    let late = late.load(Ordering::Relaxed);
    assert!(late >= ORDERS, "only {late} were too late: that was no race");
    for (id, name) in outcomes {
        let known = world.agrees(id, 2).await;
        assert_eq!(known.row_status().unwrap().to_string(), name);
        let versions: Vec<_> = known.history.events.iter().map(|event| event.version.0).collect();
        assert_eq!(versions, [1, 2]);
        assert_eq!(known.history.messages.len(), 2);
    }
    let ended =
        "SELECT count(*) FROM orderscope.audit WHERE intent IN ('CompleteOrder', 'CancelOrder')";
    assert_eq!(world.count(ended).await, i64::try_from(ORDERS).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_submit_is_done_once_and_answered_alike() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let writers = join_all((0..4).map(|_| writer(&world.options, "mai"))).await;
    let mut created = 0;
    for _ in 0..10 {
        let wanted = request(create(buyer));
        created += 1;
        let runs = writers.iter().map(|writer| {
            let (writer, mut wanted) =
                (writer.clone().unwrap_or_else(|error| panic!("{error}")), wanted.clone());
            // Every attempt draws an id of its own for the order, as the verb does.
            if let Operation::Order(Command::CreateOrder { id, .. }) = &mut wanted.operation {
                *id = OrderId(Uuid::now_v7());
            }
            tokio::spawn(async move { execute(&writer, &wanted, now()).await.unwrap() })
        });
        let ended: Vec<_> = join_all(runs).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(ended.iter().filter(|done| !done.repeated).count(), 1, "{ended:?}");
        assert!(
            ended.iter().all(|done| done.audit == ended[0].audit && done.told == ended[0].told)
        );
        assert!(ended.iter().all(|done| done.targets == ended[0].targets), "{ended:?}");
        world.agrees(OrderId(ended[0].targets[0].parse().unwrap()), 1).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM orders").await, created);
    assert_eq!(world.count("SELECT count(*) FROM outbox_message").await, created);
}

#[tokio::test]
async fn other_content_under_the_same_key_is_no_repetition() {
    let world = World::managed().await;
    let first = request(create(world.buyer().await));
    execute(&world.writer, &first, now()).await.unwrap();
    let before = world.dump(&[]).await;
    let with = |change: fn(&mut Option<String>, &mut Vec<NewLine>)| {
        let mut other = first.clone();
        let Operation::Order(Command::CreateOrder { note, lines, .. }) = &mut other.operation
        else {
            panic!("{first:?}")
        };
        change(note, lines);
        other
    };
    // The same price, spelt otherwise.
    let same = with(|_, lines| lines[1].price = "33".parse().unwrap());
    assert!(execute(&world.writer, &same, now()).await.unwrap().repeated);
    for (other, told) in [
        (with(|note, _| *note = None), "--note"),
        (with(|_, lines| lines[0].quantity = 3), "--line"),
        (with(|note, lines| (*note, lines[1].price) = (None, 34.into())), "--line, --note"),
    ] {
        let refused = execute(&world.writer, &other, now()).await.unwrap_err();
        assert!(matches!(refused, PlanError::Reused { .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("with other {told})")), "{refused}");
    }
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_the_service_took_meanwhile_is_a_conflict() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    // As the service does it: the event in a transaction of its own, without touching the order's row.
    let mut conn = world.conn().await;
    let steps = [
        "BEGIN",
        "UPDATE mt_streams SET version = 2 WHERE version = 1",
        "INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, \"timestamp\", headers)
         SELECT nextval('mt_events_sequence'), gen_random_uuid(), stream_id, 2,
                jsonb_set(data, '{Order,Status}', '\"Completed\"'), 'order_completed_event', \"timestamp\",
                '{\"user\": \"the service\"}' FROM mt_events",
    ];
    for step in steps {
        sqlx::query(step).execute(&mut conn).await.unwrap();
    }
    let run = {
        let writer = world.writer.clone();
        tokio::spawn(async move { execute(&writer, &request(cancel(id)), now()).await })
    };
    // Wait until it waits for the stream's row.
    let mut look = world.conn().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                   AND wait_event_type = 'Lock' AND application_name = 'orderscope/command'";
    loop {
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(&mut look).await.unwrap();
        if count == 1 {
            break;
        }
        assert!(!run.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    sqlx::query("COMMIT").execute(&mut conn).await.unwrap();
    match run.await.unwrap() {
        Err(PlanError::Conflict(moved)) => {
            assert_eq!(moved.what, "the stream's version");
            assert_eq!(moved.who.as_deref(), Some("mai"), "audit is as late as the event");
        }
        ended => panic!("{ended:?}"),
    }
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM mt_events WHERE stream_id = $1")
        .bind(id)
        .fetch_one(&mut look)
        .await
        .unwrap();
    assert_eq!(events, 2);
    assert_eq!(
        world.count("SELECT last_value FROM mt_events_sequence").await,
        2,
        "no number was burnt"
    );
}
