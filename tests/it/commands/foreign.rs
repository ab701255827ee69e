//! Databases that the real service wrote: orders go on in the style they have, nothing of the service's is
//! touched that is not an order's, and while nobody says who publishes, no event is written.

use std::time::Duration;

use futures::future::join_all;
use orderscope::{
    db::Limits,
    domain::{
        decide::Command,
        id::{BuyerId, OrderId, Version},
        order::Status,
    },
    ops::operation::{Check, Operation, PlanError, Verdict},
};
use sqlx::{AssertSqlSafe, Executor, Row};
use tokio_util::sync::CancellationToken;

use super::world::{
    World, attached, cancel, create, execute, limited, now, plan, request, run, writer,
};
use crate::support::{
    fixture::{self, Schema},
    postgres::{pg15, pg18},
};

const SCHEMAS: [Schema; 2] = [Schema::Marten9, Schema::Document];

/// An order that is New, its buyer, whether its events are in its own stream, and how many there are.
async fn new_order(world: &World, own: bool) -> (OrderId, BuyerId) {
    let equal = if own { "=" } else { "<>" };
    let sql = format!(
        "SELECT o.id, o.buyer_id FROM orders o JOIN mt_events e ON (e.data -> 'Order' ->> 'Id')::uuid = o.id
         WHERE o.status = 0 AND e.stream_id {equal} o.id AND NOT o.is_deleted AND NOT e.is_archived
         GROUP BY o.id HAVING count(*) = 1 ORDER BY o.id LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut world.conn().await).await.unwrap();
    (row.get("id"), row.get("buyer_id"))
}

#[tokio::test]
async fn orders_of_the_service_go_on_in_their_style() {
    for schema in SCHEMAS {
        let world = World::service(schema, "3-paused", "'outbox'").await;
        // Documents and progression are the service's business.
        let only = [
            "public.orders",
            "public.mt_events",
            "public.mt_streams",
            "public.outbox_state",
            "public.outbox_message",
            "public.mt_events_sequence",
            "public.outbox_message_sequence_number_seq",
            "public.order_items",
            "orderscope.audit",
            "orderscope.audit_number_seq",
            "orderscope.audit_number",
            "orderscope.audit_values",
            "orderscope.audit_chains",
        ];
        let before = world.dump(&only).await;
        for (own, streams) in [(true, 1), (false, 2)] {
            let (id, _) = new_order(&world, own).await;
            let done = world.run(Command::CompleteOrder { id }).await.unwrap();
            assert_eq!(done.version, Some(Version(2)), "{schema:?}");
            let known = world.agrees(id, 2).await;
            assert_eq!(known.row_status(), Some(Status::Completed));
            let events = &known.history.events;
            let found: std::collections::BTreeSet<_> = events.iter().map(|e| e.stream).collect();
            assert_eq!(found.len(), streams, "{schema:?}");
            assert_eq!(events[1].version.0, if own { 2 } else { 1 });
            let stream = world
                .value(
                    "SELECT to_jsonb(s) FROM mt_streams s WHERE id = $1",
                    events[1].stream.unwrap().0,
                )
                .await;
            assert_eq!(stream["version"], events[1].version.0);
            assert_eq!(
                (stream["type"].as_str(), stream["tenant_id"].as_str()),
                (Some("order_summary"), Some("*DEFAULT*"))
            );
        }
        // The newest events have a stream each, and so have those of a new order.
        let (_, buyer) = new_order(&world, false).await;
        let id = world.order(buyer).await;
        world.run(cancel(id)).await.unwrap();
        let known = world.agrees(id, 2).await;
        let streams: Vec<_> = known.history.events.iter().map(|e| e.stream.unwrap().0).collect();
        assert!(streams[0] != streams[1] && !streams.contains(&id.0));
        assert!(
            known
                .history
                .messages
                .iter()
                .all(|m| { m.destination.as_deref().unwrap().starts_with("rabbitmq://") })
        );
        assert_eq!(world.dump(&only).await, before);
    }
}

#[tokio::test]
async fn new_orders_take_the_style_of_the_newest_events() {
    let world = World::service(Schema::Marten9, "2-delivered", "'outbox'").await;
    let (_, buyer) = new_order(&world, true).await;
    let id = world.order(buyer).await;
    world.run(cancel(id)).await.unwrap();
    let known = world.agrees(id, 2).await;
    assert!(known.history.events.iter().all(|event| event.stream.unwrap().0 == id.0));
}

#[tokio::test]
async fn the_service_that_publishes_itself_gets_no_second_message() {
    for schema in SCHEMAS {
        let world = World::service(schema, "3-paused", "'service'").await;
        let messages = world.count("SELECT count(*) FROM outbox_message").await;
        let (id, _) = new_order(&world, true).await;
        let made = world.plan(cancel(id)).await.unwrap();
        assert!(made.effects.iter().all(|effect| !effect.place.starts_with("outbox")));
        world.run(cancel(id)).await.unwrap();
        world.agrees(id, 2).await;
        assert_eq!(world.count("SELECT count(*) FROM outbox_message").await, messages);
    }
}

#[tokio::test]
async fn while_nobody_says_who_publishes_no_event_is_written() {
    for schema in SCHEMAS {
        let world = World::service(schema, "3-paused", "NULL").await;
        let (id, buyer) = new_order(&world, true).await;
        let before = world.dump(&[]).await;
        for command in [create(buyer), Command::CompleteOrder { id }, cancel(id)] {
            let made = world.plan(command.clone()).await.unwrap();
            let check =
                made.checks.iter().find(|check| check.verdict == Verdict::Blocking).unwrap();
            assert!(check.text.contains("who publishes is not known"), "{}", check.text);
            assert!(check.text.contains("--publisher service|outbox"));
            assert!(matches!(world.run(command).await, Err(PlanError::Blocked(_))));
        }
        assert_eq!(world.dump(&[]).await, before);
        // What no event carries needs no publisher.
        world.run(Command::DeleteOrder { id }).await.unwrap();
    }
}

#[tokio::test]
async fn an_archived_stream_takes_no_event() {
    let world = World::service(Schema::Marten9, "5-gap-and-failure", "'outbox'").await;
    let archived = "SELECT o.id FROM orders o JOIN mt_streams s ON s.id = o.id
                    WHERE s.is_archived AND o.status = 0 LIMIT 1";
    let Some(id) = sqlx::query_scalar::<_, OrderId>(archived)
        .fetch_optional(&mut world.conn().await)
        .await
        .unwrap()
    else {
        // Every archived order of that stage has ended: archive one that has not.
        let (id, _) = new_order(&world, true).await;
        let mut conn = world.conn().await;
        for table in ["mt_events", "mt_streams"] {
            let column = if table == "mt_streams" { "id" } else { "stream_id" };
            let replica = "SET session_replication_role = replica";
            sqlx::query(replica).execute(&mut conn).await.unwrap();
            let archive = format!("UPDATE {table} SET is_archived = true WHERE {column} = $1");
            sqlx::query(AssertSqlSafe(archive)).bind(id).execute(&mut conn).await.unwrap();
        }
        return refused_as_archived(&world, id).await;
    };
    refused_as_archived(&world, id).await;
}

async fn refused_as_archived(world: &World, id: OrderId) {
    let before = world.dump(&[]).await;
    match world.run(cancel(id)).await {
        Err(PlanError::Blocked(checks)) => {
            assert!(checks[0].text.contains("archived"), "{checks:?}");
        }
        ended => panic!("{ended:?}"),
    }
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn without_a_place_for_the_record_nobody_writes() {
    for schema in SCHEMAS {
        let options = fixture::own(pg18(), schema, "2-delivered").await;
        assert!(matches!(writer(&options, "mai").await, Err(PlanError::NoAudit)));
    }
}

#[tokio::test]
async fn the_oldest_server_takes_commands_too() {
    let world = World::open(attached(pg15(), Schema::Document, "3-paused", "'outbox'").await).await;
    for own in [true, false] {
        let (id, _) = new_order(&world, own).await;
        world.plan(cancel(id)).await.unwrap();
        world.run(cancel(id)).await.unwrap();
        world.agrees(id, 2).await;
    }
}

#[tokio::test]
async fn names_in_pascal_case_are_written_as_they_are() {
    let world = World::service(Schema::Document, "3-paused", "'outbox'").await;
    let mut conn = world.conn().await;
    let pascal = |name: &str| -> String {
        name.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
    };
    for table in
        ["orders", "order_items", "buyers", "outbox_message", "outbox_state", "inbox_state"]
    {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0
             AND NOT attisdropped",
        )
        .bind(table)
        .fetch_all(&mut conn)
        .await
        .unwrap();
        for column in columns {
            let rename =
                format!("ALTER TABLE {table} RENAME \"{column}\" TO \"{}\"", pascal(&column));
            sqlx::query(AssertSqlSafe(rename)).execute(&mut conn).await.unwrap();
        }
        let rename = format!("ALTER TABLE {table} RENAME TO \"{}\"", pascal(table));
        sqlx::query(AssertSqlSafe(rename)).execute(&mut conn).await.unwrap();
    }
    let world = World::open(world.options).await;
    let row = sqlx::query(
        "SELECT \"Id\" AS id, \"BuyerId\" AS buyer FROM \"Orders\" WHERE \"Status\" = 0 LIMIT 1",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let (id, buyer): (OrderId, BuyerId) = (row.get("id"), row.get("buyer"));
    world.run(cancel(id)).await.unwrap();
    let known = world.known(id).await;
    assert_eq!(known.row_status(), Some(Status::Cancelled));
    let new = world.order(buyer).await;
    world.agrees(new, 1).await;
}

#[tokio::test]
async fn tables_too_large_to_be_read_whole_take_commands() {
    for schema in SCHEMAS {
        let world = World::service(schema, "3-paused", "'outbox'").await;
        // As if its tables were large: what no index leads to is looked for around the order.
        let long = Duration::from_mins(1);
        let limits = Limits {
            statement: long,
            planning: long,
            connect: long,
            acquire: long,
            small_table_pages: -1,
            ..Limits::default()
        };
        let large = limited(&world.options, "kim", &limits).await.unwrap();
        let stop = CancellationToken::new();
        for own in [true, false] {
            let (id, _) = new_order(&world, own).await;
            let made = plan(&large, request(cancel(id)), now(), &stop).await.unwrap();
            let searched = |check: &&Check| check.verdict == Verdict::Unknown;
            let unsure = made.checks.iter().filter(searched).map(|check| check.text.as_str());
            assert!(unsure.clone().any(|text| text.contains("searched within")), "{made:?}");
            world.run(Command::DeleteOrder { id }).await.unwrap();
            world.run(Command::RestoreOrder { id }).await.unwrap();
            match run(&large, &made, now()).await {
                Err(PlanError::Stale(moved)) => assert_eq!(moved.who.as_deref(), Some("mai")),
                ended => panic!("{schema:?}: {ended:?}"),
            }
            let ended = join_all(
                (0..4).map(|_| async { execute(&large, &request(cancel(id)), now()).await }),
            );
            let won = ended.await.into_iter().flatten().count();
            assert_eq!(won, 1, "{schema:?}");
            let known = world.agrees(id, 2).await;
            assert_eq!(known.row_status(), Some(Status::Cancelled));
            let events = &known.history.events;
            assert_eq!(events[1].stream == events[0].stream, own);
        }
        let (_, buyer) = new_order(&world, false).await;
        let new = request(create(buyer));
        execute(&large, &new, now()).await.unwrap();
        let Operation::Order(command) = new.operation else { panic!("another kind") };
        world.agrees(command.order().unwrap(), 1).await;
    }
}

#[tokio::test]
async fn documents_of_a_service_that_are_guarded_by_an_id_are_read_and_left_alone() {
    let world = World::service(Schema::Marten9, "2-delivered", "'outbox'").await;
    let retype = "ALTER TABLE mt_doc_ordersummaryview ALTER COLUMN mt_version DROP DEFAULT,
                  ALTER COLUMN mt_version TYPE uuid USING gen_random_uuid()";
    world.conn().await.execute(retype).await.unwrap();
    let world = World::open(world.options).await;
    let document = "SELECT to_jsonb(s) FROM mt_doc_ordersummaryview s WHERE id = $1";
    let (id, _) = new_order(&world, true).await;
    let before = world.value(document, id.0).await;
    let made = world.plan(cancel(id)).await.unwrap();
    let agree = |check: &Check| check.text.contains("row, events and view agree");
    assert!(made.checks.iter().any(agree), "{:?}", made.checks);
    world.run(cancel(id)).await.unwrap();
    assert_eq!(world.value(document, id.0).await, before);
}

#[tokio::test]
async fn a_schema_that_is_behind_is_brought_up_to_date_not_attached_again() {
    let managed = World::managed().await;
    let attached = World::service(Schema::Marten9, "2-delivered", "'outbox'").await;
    for (world, verb) in [(managed, "migrate"), (attached, "attach")] {
        let behind = "ALTER TABLE orderscope.database DROP COLUMN snapshot_every";
        world.conn().await.execute(behind).await.unwrap();
        let error = writer(&world.options, "mai").await.unwrap_err();
        assert_eq!(error, PlanError::Behind(verb));
        let said = error.to_string();
        assert!(said.contains(&format!("`orderscope {verb}` brings it up to date")), "{said}");
    }
}
