//! Every command writes all its tables; what is refused writes nothing; and after any sequence of commands the
//! fold of the events, the row and the document are the same.

use orderscope::{
    domain::{
        decide::{Address, Command, Refusal},
        envelope::CONTENT_TYPE,
        event::EventKind,
        id::{BuyerId, LineId, OrderId, Version},
        id_timestamp::new_id_time,
        order::Status,
    },
    ops::operation::{Operation, PlanError, PlanRequest},
};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use sqlx::Row;
use uuid::Uuid;

use super::world::{World, cancel, create, execute, now, request};

#[tokio::test]
async fn an_order_is_written_to_all_tables() {
    for world in [World::managed().await, World::oldest().await] {
        let buyer = world.buyer().await;
        let command = create(buyer);
        let id = command.order().unwrap();
        let request = request(command);
        let done = execute(&world.writer, &request, now()).await.unwrap();
        assert_eq!((done.version, done.repeated), (Some(Version(1)), false));
        assert!(done.told.contains(&id.to_string()), "{}", done.told);

        let known = world.agrees(id, 1).await;
        let row = known.history.row.as_ref().unwrap();
        assert_eq!((row.status, row.created_at), (Status::New, Some(now())));
        assert_eq!((row.last_modified_at, row.total.to_string().as_str()), (None, "61.40"));

        let event = &known.history.events[0];
        assert_eq!(event.kind, "order_placed_event");
        assert_eq!(event.dotnet_type.as_deref(), Some(EventKind::Placed.dotnet_type()));
        assert_eq!((event.stream.unwrap().0, event.version.0, event.at), (id.0, 1, now()));
        assert_eq!(event.body["Order"]["TotalPrice"].to_string(), "61.40");
        assert_eq!(event.body["Order"]["Buyer"]["Name"], "Le Thi");
        assert_eq!(event.body["DateOccurred"], "2026-11-22T19:00:00.123456Z");
        let headers = event.headers.as_ref().unwrap();
        assert_eq!((&headers["user"], &headers["reason"]), (&json!("mai"), &json!("CB-91")));
        assert_eq!(headers["operation"], request.id.to_string());
        assert_eq!(event.correlation_id, Some(request.id.simple().to_string()));
        let trace = headers["traceparent"].as_str().unwrap();
        assert_eq!(event.causation_id.as_deref(), Some(&trace[36..52]));
        assert_eq!(trace[3..35], request.id.simple().to_string());

        let message = world
            .value("SELECT to_jsonb(m) || jsonb_build_object('state', to_jsonb(s)) FROM outbox_message m
                    JOIN outbox_state s USING (outbox_id) WHERE body LIKE '%' || $1::text || '%'", id.0)
            .await;
        let envelope: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        assert_eq!(envelope["message"]["orderId"], id.to_string());
        assert_eq!(envelope["message"]["basketId"], buyer.to_string());
        assert_eq!(envelope["message"]["totalMoney"], "61.40");
        assert_eq!(envelope["messageId"], message["message_id"]);
        assert_eq!(envelope["conversationId"], message["conversation_id"]);
        assert_eq!(envelope["destinationAddress"], message["destination_address"]);
        assert_eq!(message["content_type"], CONTENT_TYPE);
        assert!(
            message["message_type"]
                .as_str()
                .unwrap()
                .starts_with("urn:message:BookWorm.Contracts:UserCheckedOut")
        );
        assert_eq!(message["state"]["lock_id"], Uuid::nil().to_string());
        assert!(message["state"]["delivered"].is_null() && message["correlation_id"].is_null());
        for column in ["message_id", "outbox_id", "conversation_id"] {
            let made = new_id_time(message[column].as_str().unwrap().parse().unwrap(), now());
            assert_eq!(made, Some(now()), "{column}");
        }
        let audit = "SELECT count(*) FROM orderscope.audit WHERE intent = 'CreateOrder'";
        assert_eq!(world.count(audit).await, 1);
    }
}

#[tokio::test]
async fn an_ending_changes_the_row_and_adds_an_event() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let (kept, given_up) = (world.order(buyer).await, world.order(buyer).await);
    let done = world.run(Command::CompleteOrder { id: kept }).await.unwrap();
    assert_eq!(done.version, Some(Version(2)));
    let known = world.agrees(kept, 2).await;
    assert_eq!(known.row_status(), Some(Status::Completed));
    assert_eq!(known.history.row.as_ref().unwrap().last_modified_at, Some(now()));

    world.run(cancel(given_up)).await.unwrap();
    let known = world.agrees(given_up, 2).await;
    assert_eq!(known.history.events[1].body["Reason"], "customer asked");
    assert_eq!(known.history.messages.len(), 2);
    assert!(known.history.messages[1].kind.ends_with("OrderStatusChangedToCancelIntegrationEvent"));
    assert_eq!(world.count("SELECT count(*) FROM outbox_state").await, 4);
}

#[tokio::test]
async fn deleting_and_restoring_change_the_row_alone() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let except = [
        "public.orders",
        "orderscope.audit",
        "orderscope.audit_number_seq",
        "orderscope.audit_number",
        "orderscope.audit_values",
        "orderscope.audit_chains",
    ];
    let before = world.dump(&except).await;
    let done = world.run(Command::DeleteOrder { id }).await.unwrap();
    assert_eq!(done.reverse, Some(Operation::Order(Command::RestoreOrder { id })));
    assert!(world.known(id).await.history.row.unwrap().is_deleted);
    let refused = world.run(Command::CompleteOrder { id }).await;
    assert_eq!(refused, Err(PlanError::Refused(Refusal::Deleted(id))));
    world.run(Command::RestoreOrder { id }).await.unwrap();
    assert_eq!(world.dump(&except).await, before);
    world.run(Command::CompleteOrder { id }).await.unwrap();
    world.agrees(id, 2).await;
}

#[tokio::test]
async fn a_new_address_is_in_events_written_from_then_on() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let id = world.order(buyer).await;
    let address = Address { street: Some("8 Book Lane".to_owned()), ..Address::default() };
    let command = Command::UpdateBuyerAddress { id: buyer, address };
    let done = world.run(command).await.unwrap();
    let Some(Operation::Order(Command::UpdateBuyerAddress { address, .. })) = done.reverse else {
        panic!("it can be taken back")
    };
    assert_eq!((address.street, address.city.as_deref()), (None, Some("Hue")));
    world.run(Command::CompleteOrder { id }).await.unwrap();
    let events = world.agrees(id, 2).await.history.events;
    assert_eq!(events[0].body["Order"]["Buyer"]["Address"]["City"], "Hue");
    assert_eq!(events[1].body["Order"]["Buyer"]["Address"]["Street"], "8 Book Lane");
    assert!(events[1].body["Order"]["Buyer"]["Address"]["City"].is_null());
}

#[tokio::test]
async fn what_is_refused_writes_nothing_anywhere() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let id = world.order(buyer).await;
    world.run(Command::CompleteOrder { id }).await.unwrap();
    let nobody = BuyerId(Uuid::now_v7());
    let nowhere = OrderId(Uuid::now_v7());
    let with = |change: &dyn Fn(&mut Command)| {
        let mut command = create(buyer);
        change(&mut command);
        command
    };
    let refused = [
        (
            with(&|c| {
                if let Command::CreateOrder { lines, .. } = c {
                    lines.clear();
                }
            }),
            "at-least-one-item",
        ),
        (
            with(&|c| {
                if let Command::CreateOrder { lines, .. } = c {
                    lines[0].quantity = 0;
                }
            }),
            "quantity-above-zero",
        ),
        (
            with(&|c| {
                if let Command::CreateOrder { lines, .. } = c {
                    lines[0].quantity = 1 << 40;
                }
            }),
            "quantity-fits",
        ),
        (
            with(&|c| {
                if let Command::CreateOrder { lines, .. } = c {
                    lines[0].price = "-1".parse().unwrap();
                }
            }),
            "price-not-negative",
        ),
        (
            with(&|c| {
                if let Command::CreateOrder { note, .. } = c {
                    *note = Some("x".repeat(501));
                }
            }),
            "text-length",
        ),
        (
            with(&|c| {
                if let Command::CreateOrder { note, .. } = c {
                    *note = Some("a\0".to_owned());
                }
            }),
            "text-storable",
        ),
        (
            with(&|c| {
                if let Command::CreateOrder { id: new, .. } = c {
                    *new = id;
                }
            }),
            "order-is-new",
        ),
        (create(nobody), "buyer-exists"),
        (Command::CompleteOrder { id }, "only-new-orders-end"),
        (cancel(id), "only-new-orders-end"),
        (Command::CancelOrder { id, reason: " ".to_owned() }, "text-needed"),
        (Command::RestoreOrder { id }, "only-deleted-is-restored"),
        (Command::DeleteOrder { id: nowhere }, "order-exists"),
        (
            Command::CreateBuyer { id: buyer, name: "A".to_owned(), address: Address::default() },
            "buyer-is-new",
        ),
        (
            Command::CreateBuyer { id: nobody, name: "x".repeat(21), address: Address::default() },
            "text-length",
        ),
        (Command::UpdateBuyerAddress { id: nobody, address: Address::default() }, "buyer-exists"),
    ];
    let before = world.dump(&[]).await;
    for (command, rule) in refused {
        match world.run(command.clone()).await {
            Err(PlanError::Refused(refusal)) => assert_eq!(refusal.rule(), rule, "{command:?}"),
            other => panic!("{command:?}: {other:?}"),
        }
        assert!(world.plan(command).await.is_err());
    }
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn a_line_of_another_order_is_not_taken() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let id = world.order(buyer).await;
    let taken: LineId = world.known(id).await.history.row.unwrap().lines[0].id;
    let mut command = create(buyer);
    if let Command::CreateOrder { lines, .. } = &mut command {
        lines[1].id = taken;
    }
    let before = world.dump(&[]).await;
    assert!(matches!(world.run(command).await, Err(PlanError::Database(_))));
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn a_snapshot_is_kept_every_so_many_events() {
    let world = World::managed().await;
    sqlx::query("UPDATE orderscope.database SET snapshot_every = 2")
        .execute(&mut world.conn().await)
        .await
        .unwrap();
    let world = World::open(world.options).await;
    let id = world.order(world.buyer().await).await;
    assert_eq!(world.known(id).await.snapshot, orderscope::ops::analysis::SnapshotCheck::None);
    world.run(cancel(id)).await.unwrap();
    let known = world.agrees(id, 2).await;
    assert_eq!(known.snapshot, orderscope::ops::analysis::SnapshotCheck::Agrees(Version(2)));
}

#[tokio::test]
async fn the_same_operation_is_done_once() {
    let world = World::managed().await;
    let command = create(world.buyer().await);
    let id = command.order().unwrap();
    let request = request(command);
    let first = execute(&world.writer, &request, now()).await.unwrap();
    let before = world.dump(&[]).await;
    let second = execute(&world.writer, &request, now()).await.unwrap();
    assert!(second.repeated);
    assert_eq!(
        (second.audit, second.version, &second.told),
        (first.audit, first.version, &first.told)
    );
    let other = PlanRequest { operation: Operation::Order(cancel(id)), ..request };
    let reused = execute(&world.writer, &other, now()).await;
    assert!(matches!(reused, Err(PlanError::Reused { .. })), "{reused:?}");
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn times_and_zones_of_others_change_no_stored_instant() {
    let world = World::managed().await;
    let mut conn = world.conn().await;
    // Whatever sessions get by default: a zone far off, and a date style that swaps day and month.
    for setting in
        ["TimeZone = 'Asia/Ho_Chi_Minh'", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'"]
    {
        let set = format!(
            "ALTER ROLE postgres IN DATABASE {} SET {setting}",
            world.options.get_database().unwrap()
        );
        sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut conn).await.unwrap();
    }
    let options = world.options.clone().options([("TimeZone", "Pacific/Kiritimati")]);
    let world = World::open(options).await;
    // Clocks that are years off, forwards and back, in one order's life.
    for placed in ["2031-03-01T23:30:00.5Z", "2001-01-01T00:00:00Z"] {
        let (placed, ended) = (placed.parse().unwrap(), now());
        let command = create(world.buyer().await);
        let id = command.order().unwrap();
        execute(&world.writer, &request(command), placed).await.unwrap();
        execute(&world.writer, &request(cancel(id)), ended).await.unwrap();
        let known = world.agrees(id, 2).await;
        let row = known.history.row.unwrap();
        assert_eq!((row.created_at, row.last_modified_at), (Some(placed), Some(ended)));
        let times: Vec<_> = known.history.events.iter().map(|event| event.at).collect();
        assert_eq!(times, [placed, ended]);
        let published: Vec<_> = known.history.messages.iter().map(|m| m.published).collect();
        assert_eq!(published, [placed, ended]);
        let stream =
            sqlx::query("SELECT created, \"timestamp\" AS at FROM mt_streams WHERE id = $1")
                .bind(id)
                .fetch_one(&mut world.conn().await)
                .await
                .unwrap();
        assert_eq!(stream.get::<chrono::DateTime<chrono::Utc>, _>("created"), placed);
        assert_eq!(stream.get::<chrono::DateTime<chrono::Utc>, _>("at"), ended);
        let audit: chrono::DateTime<chrono::Utc> = sqlx::query_scalar(
            "SELECT at FROM orderscope.audit WHERE intent = 'CancelOrder' ORDER BY number DESC LIMIT 1",
        )
        .fetch_one(&mut world.conn().await)
        .await
        .unwrap();
        assert_eq!(audit, ended);
    }
}

/// What may come next in a random life of a few orders.
#[derive(Debug, Clone)]
enum Next {
    Create { lines: usize, note: Option<String> },
    Complete(usize),
    Cancel(usize, String),
    Delete(usize),
    Restore(usize),
    Address(Option<String>),
}

fn any_next() -> impl Strategy<Value = Next> {
    prop_oneof![
        3 => (0usize..4, proptest::option::of("\\PC{0,520}")).prop_map(|(lines, note)| Next::Create { lines, note }),
        3 => (0usize..4).prop_map(Next::Complete),
        2 => (0usize..4, "\\PC{0,9}").prop_map(|(order, reason)| Next::Cancel(order, reason)),
        2 => (0usize..4).prop_map(Next::Delete),
        2 => (0usize..4).prop_map(Next::Restore),
        1 => proptest::option::of("\\PC{0,60}").prop_map(Next::Address),
    ]
}

#[test]
fn after_any_commands_events_row_and_document_are_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::managed());
    let config =
        ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let life = proptest::collection::vec(any_next(), 1..10);
    TestRunner::new(config)
        .run(&life, |life| {
            runtime.block_on(live(&world, life));
            Ok(())
        })
        .unwrap();
}

async fn live(world: &World, life: Vec<Next>) {
    let buyer = world.buyer().await;
    let mut orders: Vec<(OrderId, i64)> = Vec::new();
    for next in life {
        let nth = |place: usize| {
            orders.get(place % orders.len().max(1)).map_or(OrderId(Uuid::now_v7()), |(id, _)| *id)
        };
        let command = match next {
            Next::Create { lines: wanted, note: text } => {
                let mut command = create(buyer);
                if let Command::CreateOrder { lines, note, .. } = &mut command {
                    lines.truncate(wanted);
                    *note = text;
                }
                command
            }
            Next::Complete(place) => Command::CompleteOrder { id: nth(place) },
            Next::Cancel(place, reason) => Command::CancelOrder { id: nth(place), reason },
            Next::Delete(place) => Command::DeleteOrder { id: nth(place) },
            Next::Restore(place) => Command::RestoreOrder { id: nth(place) },
            Next::Address(city) => {
                let address = Address { city, ..Address::default() };
                Command::UpdateBuyerAddress { id: buyer, address }
            }
        };
        let before = world.dump(&[]).await;
        match world.run(command.clone()).await {
            Ok(done) => match (&command, done.version) {
                (Command::CreateOrder { id, .. }, Some(Version(version))) => {
                    orders.push((*id, version));
                }
                (command, Some(Version(version))) => {
                    let known =
                        orders.iter_mut().find(|(id, _)| Some(*id) == command.order()).unwrap();
                    known.1 = version;
                }
                (_, None) => {}
            },
            Err(PlanError::Refused(_)) => assert_eq!(world.dump(&[]).await, before, "{command:?}"),
            Err(other) => panic!("{command:?}: {other:?}"),
        }
        for (id, version) in &orders {
            world.agrees(*id, *version).await;
        }
    }
}
