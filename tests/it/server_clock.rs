//! Evidence has the server's time, whatever the clock of the machine says that writes it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use orderscope::{
    db::{Db, Limits},
    ops::{
        Clock, ServerClock,
        audit::{EVERY, anchor_if_due},
        operation::{self, Confirmation, Context, Operation, PlanRequest, Verdict, Writer},
        operator::Operator,
        policy::Policy,
    },
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::world::{World, create},
    support::postgres::managed,
};

const YEARS: TimeDelta = TimeDelta::days(3 * 365);

fn ahead(by: TimeDelta) -> ServerClock {
    let ours: Clock = Arc::new(move || Utc::now() + by);
    ServerClock::new(ours)
}

#[tokio::test]
async fn a_clock_that_is_years_ahead_is_told_and_dates_nothing() {
    let world = World::open(managed().await).await;
    let buyer = world.buyer().await;
    let db = Db::new(&world.options, &Limits::default());
    let clock = ahead(YEARS);
    clock.measure(&db).await.unwrap();
    let warning = clock.warning().unwrap();
    assert!(warning.contains("ahead of the server's"), "{warning}");
    let operator = Operator::new(Some("mai"), "postgres").unwrap();
    let writer = Writer::open(&db, operator, Policy::default()).await.unwrap();
    let ctx = Context::new(&writer, Err("no broker"), clock.clock()).timed(&clock);
    let (stop, progress) =
        (CancellationToken::new(), watch::channel(operation::Progress::default()).0);
    let request = PlanRequest::new(Operation::Order(create(buyer)), Some("CB-91".to_owned()));
    let plan = operation::plan(&ctx, request, &stop).await.unwrap();
    let told = |check: &&operation::Check| check.verdict == Verdict::Warn && check.text == warning;
    assert_eq!(plan.checks.iter().filter(told).count(), 1, "{:?}", plan.checks);
    let began = Utc::now() - TimeDelta::minutes(1);
    operation::run(&ctx, &plan, Confirmation::Typed("CREATE"), &progress, &stop).await.unwrap();
    let mut conn = PgConnection::connect_with(&world.options).await.unwrap();
    for newest in [
        "created_at FROM orders",
        "timestamp FROM mt_events",
        "sent_time FROM outbox_message",
        "created FROM outbox_state",
        "at FROM orderscope.audit WHERE intent = 'CreateOrder'",
    ] {
        let newest = AssertSqlSafe(format!("SELECT {newest}"));
        let at: DateTime<Utc> = sqlx::query_scalar(newest).fetch_one(&mut conn).await.unwrap();
        assert!(at > began && at < Utc::now() + TimeDelta::minutes(1), "{at}");
    }
}

#[tokio::test]
async fn a_clock_that_is_right_is_not_mentioned() {
    let db = Db::new(&managed().await, &Limits::default());
    for (by, told) in [
        (TimeDelta::zero(), None),
        (TimeDelta::seconds(50), None),
        (TimeDelta::seconds(-630), Some("10m")),
    ] {
        let clock = ahead(by);
        clock.measure(&db).await.unwrap();
        let warning = clock.warning();
        assert_eq!(warning.is_some(), told.is_some(), "{warning:?}");
        assert!(told.is_none_or(|told| warning.unwrap().contains(told)));
        // Also a second is put right.
        let off = (clock.clock())() - Utc::now();
        assert!(off.abs() < TimeDelta::seconds(20), "{off}");
    }
}

#[tokio::test]
async fn an_anchor_that_is_dated_ahead_stops_no_later_one() {
    let world = World::open(managed().await).await;
    world.buyer().await;
    let db = Db::new(&world.options, &Limits::default());
    let wrong = anchor_if_due(&db, Utc::now() + YEARS, Duration::ZERO).await.unwrap().unwrap();
    world.buyer().await;
    let next = anchor_if_due(&db, Utc::now(), EVERY).await.unwrap().unwrap();
    assert_eq!((wrong.number, next.number), (1, 2));
    world.buyer().await;
    assert_eq!(anchor_if_due(&db, Utc::now(), EVERY).await.unwrap(), None, "not due");
}
