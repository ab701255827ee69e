//! The sampler on real databases: what it stores, what two of them store together, how long it is kept, and where it
//! stores nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use orderscope::{
    db::{
        Db, Layout, Limits,
        samples::{self, Access, Seen},
    },
    domain::{
        backlog::{Change, Mark, Sample, Samples},
        trend::{Grain, Look, Slice},
    },
    ops::messages::{
        self, Sampling, Status, Watch,
        history::{self, Past, Why},
    },
    workers::sampler::{Done, Sampler},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    support::{
        clock,
        fixture::{self, Schema},
        postgres::{managed, pg18},
        rabbitmq::broker,
    },
    verbs::Home,
};

/// No pause between two looks: tests do not wait.
fn at_once() -> Watch {
    every(Duration::ZERO)
}

fn every(every: Duration) -> Watch {
    Watch { sampling: Sampling { every, copies: None }, ..Watch::default() }
}

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

async fn slices(conn: &mut PgConnection) -> Vec<Slice> {
    samples::recent(conn, TimeDelta::days(400)).await.unwrap()
}

/// So many messages of one outbox each.
async fn publish(conn: &mut PgConnection, count: i64) {
    let sql = format!(
        "WITH made AS (INSERT INTO outbox_state (outbox_id, lock_id, created)
             SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000000', now()
             FROM generate_series(1, {count}) RETURNING outbox_id)
         INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body,
             destination_address)
         SELECT now(), outbox_id, gen_random_uuid(), 'a/b', 'urn:message:A:B', '{{}}', 'queue:q' FROM made"
    );
    run(conn, &sql).await;
}

/// The oldest so many are recorded as delivered.
async fn deliver(conn: &mut PgConnection, count: i64) {
    let sql = format!(
        "UPDATE outbox_state o SET delivered = now(), last_sequence_number = m.sequence_number
         FROM (SELECT outbox_id, sequence_number FROM outbox_message JOIN outbox_state USING (outbox_id)
               WHERE delivered IS NULL ORDER BY sequence_number LIMIT {count}) m
         WHERE o.outbox_id = m.outbox_id"
    );
    run(conn, &sql).await;
}

/// As a verb looks once.
async fn status(conn: &mut PgConnection, layout: &Layout, watch: &Watch) -> Status {
    let mut looks = Samples::default();
    messages::status_with_history(conn, layout, watch, &clock(), &mut looks).await.unwrap()
}

#[tokio::test]
async fn looks_are_stored_with_what_came_and_left() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (watch, stop) = (at_once(), CancellationToken::new());
    let before = history::kept(&mut conn).await.unwrap();
    assert_eq!(before, Past::Memory(Why::NothingYet));
    let mut sampler = Sampler::new(&db, &layout, &watch);
    for (came, left) in [(10, 0), (4, 3), (0, 7)] {
        publish(&mut conn, came).await;
        deliver(&mut conn, left).await;
        assert_eq!(sampler.pass(&stop).await.unwrap(), Done::Stored);
    }
    let all = slices(&mut conn).await;
    let sum = orderscope::domain::trend::sum(all.iter().copied()).unwrap();
    // What the first look finds did not happen since a look.
    assert_eq!((sum.looks, sum.came, sum.gone), (3, 4, 10));
    assert_eq!((sum.pending, sum.most), (4, 11));
    assert_eq!(sum.left_at, Some(sum.last.at));
    let Past::Stored(history) = history::kept(&mut conn).await.unwrap() else { panic!() };
    assert_eq!(history.since, all[0].begins);
    assert_eq!(history.samples.last().unwrap().pending, Some(4));
    assert_eq!(history.day, Some(sum));
    let stored = history::stored(&mut conn, TimeDelta::days(7)).await.unwrap();
    assert_eq!(stored, Ok(all));
    // A verb that looks once knows the rates.
    publish(&mut conn, 2).await;
    let status = status(&mut conn, &layout, &watch).await;
    let movement = status.facts.movement.unwrap();
    assert!(movement.coming.is_some_and(|coming| coming > 0.0), "{movement:?}");
    let told = messages::report::status(&status);
    let told = format!("{told:?}");
    assert!(told.contains("history") && told.contains("last day"), "{told}");
    db.close().await;
}

#[tokio::test]
async fn more_than_is_counted_is_no_measurement() {
    let options = managed().await;
    let mut conn = open(&options).await;
    // So many rows take long on a machine that is busy; the figure is what matters here.
    let limits = Limits { statement: Duration::from_mins(1), ..Limits::default() };
    let db = Db::new(&options, &limits);
    let layout = db.layout().await.unwrap();
    let (watch, stop) = (at_once(), CancellationToken::new());
    let mut sampler = Sampler::new(&db, &layout, &watch);
    publish(&mut conn, 10).await;
    assert_eq!(sampler.pass(&stop).await.unwrap(), Done::Stored);
    publish(&mut conn, 200_500).await;
    assert_eq!(sampler.pass(&stop).await.unwrap(), Done::NotMeasured);
    let stored = slices(&mut conn).await;
    assert_eq!((stored.len(), stored[0].looks, stored[0].pending), (1, 1, 10));
    let status = status(&mut conn, &layout, &watch).await;
    assert_eq!(status.facts.pending().to_string(), "at least 200,000");
    assert_eq!(status.sample().pending, None);
    let value = messages::report::status_value(&status);
    assert_eq!(value["pending_counted"], "at least");
    assert_eq!(value["drain"]["state"], "unknown");
    let told = format!("{:?}", messages::report::status(&status));
    assert!(told.contains("at least 200,000") && told.contains("rates"), "{told}");
    // Counted whole again: that something left is known, not how much came and left.
    deliver(&mut conn, 200_505).await;
    assert_eq!(sampler.pass(&stop).await.unwrap(), Done::Stored);
    let sum = orderscope::domain::trend::sum(slices(&mut conn).await).unwrap();
    assert_eq!((sum.came, sum.gone, sum.known_ms, sum.pending), (0, 0, 0, 5));
    assert_eq!(sum.left_at, Some(sum.last.at));
    db.close().await;
}

#[tokio::test]
async fn two_samplers_count_nothing_twice() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let (first, second) =
        (Db::new(&options, &Limits::default()), Db::new(&options, &Limits::default()));
    let layout = first.layout().await.unwrap();
    let (watch, stop) = (at_once(), CancellationToken::new());
    let mut one = Sampler::new(&first, &layout, &watch);
    let mut two = Sampler::new(&second, &layout, &watch);
    one.pass(&stop).await.unwrap();
    let mut published = 0;
    for round in 1..=6 {
        publish(&mut conn, round).await;
        published += round;
        let (a, b) = tokio::join!(one.pass(&stop), two.pass(&stop));
        let done = [a.unwrap(), b.unwrap()];
        assert!(done.contains(&Done::Stored), "{done:?}");
    }
    one.pass(&stop).await.unwrap();
    let sum = orderscope::domain::trend::sum(slices(&mut conn).await).unwrap();
    assert_eq!((sum.came, sum.gone, sum.pending), (published, 0, published));
    // One that looks seldom leaves it to the one that looked just now.
    let seldom = every(Duration::from_secs(600));
    let mut patient = Sampler::new(&second, &layout, &seldom);
    assert_eq!(patient.pass(&stop).await.unwrap(), Done::NotNeeded);
    // And who holds the lock is not waited for.
    let mut tx = conn.begin().await.unwrap();
    assert!(samples::lock(&mut tx).await.unwrap());
    assert_eq!(one.pass(&stop).await.unwrap(), Done::NotNeeded);
    tx.rollback().await.unwrap();
    assert_eq!(one.pass(&stop).await.unwrap(), Done::Stored);
    for db in [first, second] {
        db.close().await;
    }
}

/// Three came, and so many left, since a look a minute before.
fn look(at: DateTime<Utc>, pending: i64, left: i64) -> Look {
    let change = Change {
        length: TimeDelta::minutes(1),
        drawn: Some(3),
        came: Some(3),
        left: Some(left),
        net: Some(left - 3),
        left_at: (left > 0).then_some(at),
    };
    let (pending, change) = (Some(pending), Some(change));
    let sample = Sample { at, pending, mark: Mark::default(), change };
    let pending = sample.pending.unwrap();
    Look {
        sample,
        pending,
        oldest: None,
        failing: 0,
        half_done: 0,
        duplicates: 0,
        received: 1,
        repeated: 0,
    }
}

#[tokio::test]
async fn old_slices_become_coarser_and_the_oldest_go() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(&mut conn).await.unwrap();
    // As a sampler left them that then stopped: minutes of 26 hours, of 40 days ago, and of more than a year ago.
    let mut made = vec![];
    for (days, minutes) in [(370, 30), (40, 120), (1, 120)] {
        for minute in 0..minutes {
            let at = Grain::Quarter.floor(now) - TimeDelta::days(days) - TimeDelta::hours(2)
                + TimeDelta::minutes(minute);
            let slice = Slice::new(&look(at, minute % 7, minute % 2));
            samples::put(&mut conn, &slice).await.unwrap();
            made.push(slice);
        }
    }
    let (watch, stop) = (at_once(), CancellationToken::new());
    let mut sampler = Sampler::new(&db, &layout, &watch);
    assert_eq!(sampler.pass(&stop).await.unwrap(), Done::Stored);
    let kept = samples_of(&mut conn).await;
    let count = |grain: Grain| kept.iter().filter(|slice| slice.grain == grain).count();
    // Two hours of yesterday are quarters, two hours of last month hours, those of last year gone; and this look.
    assert_eq!((count(Grain::Minute), count(Grain::Quarter)), (1, 8), "{kept:?}");
    assert!((2..=3).contains(&count(Grain::Hour)), "{kept:?}");
    let sum = |slices: &[Slice]| {
        slices
            .iter()
            .fold((0, 0, 0), |sum, one| (sum.0 + one.looks, sum.1 + one.came, sum.2 + one.received))
    };
    let old = sum(&made[30..]);
    let of: Vec<_> = kept.iter().filter(|slice| slice.grain != Grain::Minute).copied().collect();
    assert_eq!(sum(&of), old);
    // Slices of a wrong clock go, and so does what is beyond the bound.
    let ahead = Slice::new(&look(now + TimeDelta::days(3), 1, 1));
    samples::put(&mut conn, &ahead).await.unwrap();
    run(
        &mut conn,
        "INSERT INTO orderscope.samples (grain, begins, looks, last_at, pending, failing, half_done, duplicates, most,
             came, gone, known_ms, received, repeated)
         SELECT 3600, now() - interval '100 d' - n * interval '1 s', 1, now(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
         FROM generate_series(1, 9500) n",
    )
    .await;
    samples::bound(&mut conn, now + TimeDelta::minutes(10)).await.unwrap();
    let kept = samples_of(&mut conn).await;
    assert!(kept.iter().all(|slice| slice.begins <= now + TimeDelta::minutes(10)));
    let hours = kept.iter().filter(|slice| slice.grain == Grain::Hour).count();
    assert_eq!(i64::try_from(hours).unwrap(), Grain::Hour.most());
    db.close().await;
}

async fn samples_of(conn: &mut PgConnection) -> Vec<Slice> {
    let mut all = vec![];
    for grain in Grain::ALL {
        let mut from = None;
        loop {
            let far = Utc::now() + TimeDelta::days(10);
            let page = samples::between(conn, grain, from, far).await.unwrap();
            let Some(last) = page.last() else { break };
            from = Some(last.begins + TimeDelta::microseconds(1));
            all.extend(page);
        }
    }
    all
}

#[tokio::test]
async fn a_message_that_comes_after_its_row_has_gone_is_known_again() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (watch, stop) = (at_once(), CancellationToken::new());
    let mut sampler = Sampler::new(&db, &layout, &watch);
    let (message, consumer) = (Uuid::from_u128(7), Uuid::from_u128(9));
    let row = |ago: &str| {
        format!(
            "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
             VALUES ('{message}', '{consumer}', gen_random_uuid(), now() - interval '{ago}', 3,
                     now() - interval '{ago}', now() - interval '{ago}')"
        )
    };
    run(&mut conn, &row("2 h")).await;
    sampler.pass(&stop).await.unwrap();
    // Seen again and again, it stays one delivery.
    sampler.pass(&stop).await.unwrap();
    let repeated = "SELECT repeated FROM orderscope.seen_messages";
    let known: Vec<i32> = sqlx::query_scalar(repeated).fetch_all(&mut conn).await.unwrap();
    assert_eq!(known, [0]);
    // The service's clean-up, and the same message once more: the handler ran twice.
    run(&mut conn, "DELETE FROM inbox_state").await;
    sampler.pass(&stop).await.unwrap();
    run(&mut conn, &row("0 s")).await;
    sampler.pass(&stop).await.unwrap();
    let known: Vec<i32> = sqlx::query_scalar(repeated).fetch_all(&mut conn).await.unwrap();
    assert_eq!(known, [1]);
    let sum = orderscope::domain::trend::sum(slices(&mut conn).await).unwrap();
    assert_eq!((sum.received, sum.repeated), (1, 1));
    let status = status(&mut conn, &layout, &watch).await;
    let told = format!("{:?}", messages::report::status(&status));
    assert!(told.contains("1 after the service had forgotten them"), "{told}");
    db.close().await;
}

#[tokio::test]
async fn what_was_seen_is_bounded_by_time_and_number() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let now = Utc::now();
    let seen: Vec<_> = (0..500_u32)
        .map(|number| Seen {
            message: Uuid::from_u128(number.into()),
            consumer: Uuid::from_u128(1),
            received: now - TimeDelta::hours(number.into()),
            delivered: now - TimeDelta::hours(number.into()),
        })
        .collect();
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(samples::see(&mut tx, &seen).await.unwrap(), 0);
    samples::forget(&mut tx, now - TimeDelta::hours(300), 1_000).await.unwrap();
    let count = "SELECT count(*) FROM orderscope.seen_messages";
    let left: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
    assert!((300..=301).contains(&left), "{left}");
    samples::forget(&mut tx, now - TimeDelta::hours(300), 100).await.unwrap();
    let left: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(left, 100);
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn a_guest_without_schema_or_right_stores_nothing_and_says_so() {
    let options = fixture::stage(pg18(), Schema::Marten9, "1-backlog").await;
    let mut conn = open(&options).await;
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (watch, stop) = (at_once(), CancellationToken::new());
    let done = Sampler::new(&db, &layout, &watch).pass(&stop).await.unwrap();
    assert_eq!(done, Done::Cannot(Access::NoSchema));
    assert_eq!(history::kept(&mut conn).await.unwrap(), Past::Memory(Why::NoSchema));
    let stored = history::stored(&mut conn, TimeDelta::days(7)).await.unwrap();
    assert_eq!(stored, Err(Why::NoSchema));
    let status = status(&mut conn, &layout, &watch).await;
    let told = format!("{:?}", messages::report::status(&status));
    assert!(told.contains("there is no schema orderscope"), "{told}");
    // A schema of an older program.
    run(&mut conn, "CREATE SCHEMA orderscope").await;
    assert_eq!(samples::access(&mut conn).await.unwrap(), Access::Behind);
    db.close().await;
    // A role that may read the history, and one that may not.
    let options = managed().await;
    let mut conn = open(&options).await;
    let role = format!("reader_{}", Uuid::now_v7().simple());
    run(&mut conn, &format!("CREATE ROLE {role}; SET ROLE {role}")).await;
    assert_eq!(samples::access(&mut conn).await.unwrap(), Access::NotPermitted);
    let grant = "RESET ROLE; GRANT USAGE ON SCHEMA orderscope TO";
    run(&mut conn, &format!("{grant} {role}; SET ROLE {role}")).await;
    assert_eq!(samples::access(&mut conn).await.unwrap(), Access::NotPermitted);
    let grant = "RESET ROLE; GRANT SELECT ON ALL TABLES IN SCHEMA orderscope TO";
    run(&mut conn, &format!("{grant} {role}; SET ROLE {role}")).await;
    assert_eq!(samples::access(&mut conn).await.unwrap(), Access::Read);
    assert_eq!(history::kept(&mut conn).await.unwrap(), Past::Memory(Why::NothingYet));
    let grant = "RESET ROLE; GRANT INSERT, UPDATE, DELETE ON orderscope.samples, orderscope.seen_messages TO";
    run(&mut conn, &format!("{grant} {role}; SET ROLE {role}")).await;
    assert_eq!(samples::access(&mut conn).await.unwrap(), Access::Write);
    run(&mut conn, &format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn an_attached_database_keeps_a_history_and_nothing_else_changes() {
    let options = fixture::stage(pg18(), Schema::Marten9, "5-gap-and-failure").await;
    let attached = Home::on(&options).run(&["attach", "--yes", "--reason", "x"]);
    assert_eq!(attached.code, 0, "{attached:?}");
    let mut conn = open(&options).await;
    let hash = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM
                (SELECT i::text FROM inbox_state i UNION ALL SELECT s::text FROM outbox_state s
                 UNION ALL SELECT m::text FROM outbox_message m) t";
    let before: Option<String> = sqlx::query_scalar(hash).fetch_one(&mut conn).await.unwrap();
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    assert!(!layout.is_managed());
    let (watch, stop) = (at_once(), CancellationToken::new());
    let mut sampler = Sampler::new(&db, &layout, &watch);
    for _ in 0..2 {
        assert_eq!(sampler.pass(&stop).await.unwrap(), Done::Stored);
    }
    let after: Option<String> = sqlx::query_scalar(hash).fetch_one(&mut conn).await.unwrap();
    assert_eq!(after, before);
    let delivered = "SELECT count(*) FROM inbox_state WHERE delivered IS NOT NULL";
    let delivered: i64 = sqlx::query_scalar(delivered).fetch_one(&mut conn).await.unwrap();
    let seen = "SELECT count(*) FROM orderscope.seen_messages";
    let seen: i64 = sqlx::query_scalar(seen).fetch_one(&mut conn).await.unwrap();
    assert!(seen == delivered && seen > 0, "{seen} of {delivered}");
    db.close().await;
}

#[tokio::test]
async fn copies_of_operators_go_when_their_days_are_over_and_never_before() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    for (days, cause, returned) in [
        (91, "quarantined", "NULL"),
        (91, "discarded", "now()"),
        (91, "delivered", "now()"),
        // The relay's own to remove.
        (91, "delivered", "NULL"),
        (89, "quarantined", "NULL"),
        (89, "repaired", "NULL"),
    ] {
        let sql = format!(
            "INSERT INTO orderscope.kept_messages (cause, place, body, rest, kept_at, returned_at, returned_by)
             VALUES ('{cause}', 'p', '', '{{}}', now() - interval '{days} days', {returned},
                     CASE WHEN {returned} IS NOT NULL THEN gen_random_uuid() END)"
        );
        run(&mut conn, &sql).await;
    }
    let left = "SELECT cause FROM orderscope.kept_messages ORDER BY number";
    let forever = at_once();
    let stop = CancellationToken::new();
    Sampler::new(&db, &layout, &forever).pass(&stop).await.unwrap();
    let all: Vec<String> = sqlx::query_scalar(left).fetch_all(&mut conn).await.unwrap();
    assert_eq!(all.len(), 6, "for ever, unless it is said otherwise");
    let sampling = Sampling { every: Duration::ZERO, copies: Some(TimeDelta::days(90)) };
    let watch = Watch { sampling, ..Watch::default() };
    assert_eq!(Sampler::new(&db, &layout, &watch).pass(&stop).await.unwrap(), Done::Stored);
    let all: Vec<String> = sqlx::query_scalar(left).fetch_all(&mut conn).await.unwrap();
    assert_eq!(all, ["delivered", "quarantined", "repaired"]);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_keeps_the_history_and_ends_the_time_of_copies() {
    let (broker, options) = (broker().await, managed().await);
    let mut conn = open(&options).await;
    let old = "INSERT INTO orderscope.kept_messages (cause, place, body, rest, kept_at)
        VALUES ('quarantined', 'p', '', '{}', now() - interval '3 days')";
    run(&mut conn, old).await;
    let home = Home::on(&options);
    let text = "[messages]\nsample_every = 1\ncopies_days = 2\n";
    std::fs::write(home.dir.path().join("config.toml"), text).unwrap();
    let mut command = home.command();
    command
        .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
        .env("ORDERSCOPE_AMQP_PASSWORD", "secret")
        .args(["relay", "--config", "config.toml", "--output", "json"])
        .stdout(std::process::Stdio::piped());
    let mut relay = command.spawn().unwrap();
    let left = "SELECT count(*) FROM orderscope.kept_messages";
    let end = std::time::Instant::now() + Duration::from_mins(1);
    loop {
        let looks: i64 = slices(&mut conn).await.iter().map(|slice| slice.looks).sum();
        let left: i64 = sqlx::query_scalar(left).fetch_one(&mut conn).await.unwrap();
        if (looks >= 2) && left == 0 {
            break;
        }
        assert!(relay.try_wait().unwrap().is_none(), "it ended");
        assert!(std::time::Instant::now() < end, "{looks} looks, {left} copies");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = rustix::process::Pid::from_child(&relay);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(relay.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn it_ends_when_it_is_stopped() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (watch, stop) = (every(Duration::from_millis(1)), CancellationToken::new());
    let sampler = Sampler::new(&db, &layout, &watch);
    let watcher = async {
        while slices(&mut conn).await.iter().map(|slice| slice.looks).sum::<i64>() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), async {
        tokio::join!(sampler.run(&stop), watcher)
    });
    ended.await.unwrap();
    db.close().await;
}
