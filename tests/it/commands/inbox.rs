//! Commands that come as messages: once, however often they are delivered.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use orderscope::{
    db::{
        Db, Limits,
        relay::{
            ConsumerOutbox, OutboxTables, Progress, lock_consumer_outbox, record_consumer_outbox,
        },
    },
    domain::{
        decide::Command,
        id::{ConsumerId, MessageId, OrderId},
        id_timestamp::new_id_time,
        order::Status,
    },
    ops::{
        inbox::{Delivery, Received, receive},
        operation::{Origin, PlanError},
    },
};
use serde_json::Value;
use sqlx::Connection;
use uuid::Uuid;

use super::world::{World, now, writer};

const TRACE: &str = "00-03d1df5d31dd11b6aedae8a1f12fd984-99fa2ae7807e0b0d-01";

fn completing(id: OrderId) -> Delivery {
    Delivery {
        origin: Origin {
            message: MessageId(Uuid::now_v7()),
            consumer: ConsumerId(Uuid::from_u128(0xe2f7_c838_07b9_51f1_e07e_cae2_7e7c_dc6e)),
            queue: "rabbitmq://rabbitmq/basket-checkout-complete".to_owned(),
            conversation: Some(Uuid::from_u128(77)),
            initiator: Some(Uuid::from_u128(78)),
            traceparent: Some(TRACE.to_owned()),
        },
        command: Command::CompleteOrder { id },
        reason: None,
    }
}

async fn inbox(world: &World, delivery: &Delivery) -> Value {
    world
        .value(
            "SELECT to_jsonb(i) FROM inbox_state i WHERE message_id = $1",
            delivery.origin.message.0,
        )
        .await
}

async fn produced(world: &World, delivery: &Delivery) -> Option<i64> {
    sqlx::query_scalar(
        "SELECT max(sequence_number) FROM outbox_message WHERE inbox_message_id = $1",
    )
    .bind(delivery.origin.message)
    .fetch_one(&mut world.conn().await)
    .await
    .unwrap()
}

/// Records, as whoever sends does, that everything up to that number was sent.
async fn record_sent(world: &World, delivery: &Delivery, last: i64) {
    let Origin { message, consumer, .. } = delivery.origin;
    let consumer_outbox = ConsumerOutbox { message_id: message.0, consumer_id: consumer.0 };
    let layout = Db::new(&world.options, &Limits::default()).layout().await.unwrap();
    let tables = OutboxTables::of(&layout).unwrap();
    let mut conn = world.conn().await;
    let mut tx = conn.begin().await.unwrap();
    let before = now() + TimeDelta::days(1);
    let locked = lock_consumer_outbox(&mut tx, &tables, consumer_outbox, before).await.unwrap();
    assert!(locked.is_some(), "it is half-done");
    let step =
        Progress { outbox: consumer_outbox.key(), last: Some(last), lock_id: Uuid::now_v7() };
    record_consumer_outbox(&mut tx, &tables, consumer_outbox, &step, false, now()).await.unwrap();
    tx.commit().await.unwrap();
}

fn passed(row: &Value) -> Option<DateTime<Utc>> {
    new_id_time(row["lock_id"].as_str().unwrap().parse().unwrap(), now())
}

#[tokio::test]
async fn a_message_is_handled_as_the_library_would() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let delivery = completing(id);
    let Received::Handled { done, delivered } =
        receive(&world.writer, &delivery, now()).await.unwrap()
    else {
        panic!("it is new")
    };
    assert!(!done.repeated && !delivered);
    let known = world.agrees(id, 2).await;
    assert_eq!(known.row_status(), Some(Status::Completed));
    let event = &known.history.events[1];
    assert_eq!(event.correlation_id.as_deref(), Some(&TRACE[3..35]));
    assert_eq!(event.causation_id.as_deref(), Some(&TRACE[36..52]));

    let row = inbox(&world, &delivery).await;
    assert_eq!((row["receive_count"].as_i64(), row["delivered"].is_null()), (Some(1), true));
    assert!(!row["consumed"].is_null() && !row["received"].is_null());
    assert_eq!(passed(&row), Some(now()));
    let message = world
        .value(
            "SELECT to_jsonb(m) FROM outbox_message m WHERE inbox_message_id = $1",
            delivery.origin.message.0,
        )
        .await;
    assert!(message["outbox_id"].is_null());
    assert_eq!(message["source_address"], delivery.origin.queue);
    assert_eq!(message["conversation_id"], Uuid::from_u128(77).to_string());
    assert_eq!(message["initiator_id"], Uuid::from_u128(78).to_string());

    let number = produced(&world, &delivery).await.unwrap();
    let waiting = receive(&world.writer, &delivery, now()).await.unwrap();
    assert_eq!(waiting, Received::Waiting { last_sequence: number });
    record_sent(&world, &delivery, number).await;
    let row = inbox(&world, &delivery).await;
    // One for consuming, one for sending, one for finding no more, one for cleaning up.
    assert_eq!(row["receive_count"], 4);
    assert_eq!(row["last_sequence_number"], number);
    assert!(!row["delivered"].is_null());
    assert_eq!(produced(&world, &delivery).await, None);

    let except = ["public.inbox_state", "public.inbox_state_id_seq"];
    let before = world.dump(&except).await;
    assert_eq!(receive(&world.writer, &delivery, now()).await.unwrap(), Received::Duplicate);
    assert_eq!(world.dump(&except).await, before);
    assert_eq!(inbox(&world, &delivery).await["receive_count"], 5);
}

#[tokio::test]
async fn what_produces_nothing_is_delivered_at_once() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let delivery = Delivery { command: Command::DeleteOrder { id }, ..completing(id) };
    let received = receive(&world.writer, &delivery, now()).await.unwrap();
    assert!(matches!(received, Received::Handled { delivered: true, .. }));
    let row = inbox(&world, &delivery).await;
    assert_eq!(
        (row["receive_count"].as_i64(), row["last_sequence_number"].is_null()),
        (Some(3), true)
    );
}

#[tokio::test]
async fn a_refused_message_stays_unconsumed() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    world.run(Command::CompleteOrder { id }).await.unwrap();
    let delivery = completing(id);
    let except = ["public.inbox_state", "public.inbox_state_id_seq"];
    let before = world.dump(&except).await;
    for _ in 0..2 {
        let refused = receive(&world.writer, &delivery, now()).await;
        assert!(matches!(refused, Err(PlanError::Refused(_))), "{refused:?}");
    }
    let row = inbox(&world, &delivery).await;
    assert_eq!((row["receive_count"].as_i64(), row["consumed"].is_null()), (Some(0), true));
    assert_eq!(world.dump(&except).await, before);
}

#[tokio::test]
async fn a_message_whose_inbox_row_was_purged_is_not_handled_again() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let delivery = Delivery { command: Command::DeleteOrder { id }, ..completing(id) };
    receive(&world.writer, &delivery, now()).await.unwrap();
    world.run(Command::RestoreOrder { id }).await.unwrap();
    sqlx::query("DELETE FROM inbox_state").execute(&mut world.conn().await).await.unwrap();
    let Received::Handled { done, .. } = receive(&world.writer, &delivery, now()).await.unwrap()
    else {
        panic!("the inbox does not know it any more")
    };
    assert!(done.repeated);
    assert!(!world.known(id).await.history.row.unwrap().is_deleted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_delivered_many_times_at_once_has_its_effects_once() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let writers: Vec<_> = join_all((0..4).map(|_| writer(&world.options, "consumer")))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for _ in 0..10 {
        let id = world.order(buyer).await;
        let delivery = completing(id);
        let runs = (0..8).map(|run| {
            let (writer, delivery) = (writers[run % writers.len()].clone(), delivery.clone());
            tokio::spawn(async move { receive(&writer, &delivery, now()).await.unwrap() })
        });
        let ended: Vec<_> = join_all(runs).await.into_iter().map(Result::unwrap).collect();
        let handled = ended.iter().filter(|one| matches!(one, Received::Handled { .. })).count();
        assert_eq!(handled, 1, "{ended:?}");
        let known = world.agrees(id, 2).await;
        // Others belong to the same conversation.
        assert_eq!(known.history.messages.iter().filter(|m| m.names_order).count(), 2);
        let rows = "SELECT count(*) FROM inbox_state";
        assert!(world.count(rows).await <= 10);
    }
}
