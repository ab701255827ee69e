//! Outboxes and inbox on real databases: what is counted and listed, which rule fires for which planted trouble,
//! and what a look costs when every table has 100,000 rows.

mod incidents;

use chrono::{DateTime, TimeDelta, Utc};
use orderscope::{
    db::{
        Db, Limits,
        inbox::{self, InboxView},
        outbox::{self, Cursor, Filter, View},
    },
    domain::{
        address::Address,
        backlog::{Mark, Sample, Samples},
        diagnosis::{Finding, Lock, Published, Rule, Severity, Subject, Tally},
        outbox::Delivery,
        poison::Poison,
    },
    ops::{
        messages::{self, AsOf, MessageKey, Status, Watch},
        operation::table::by_hand,
    },
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    clock,
    fixture::{self, Schema},
    postgres::{demo, managed, pg15, pg18},
};

const HELD: TimeDelta = TimeDelta::minutes(1);

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

/// Two looks, the first five seconds before `now` where one is given: only two can tell what moves.
async fn look(options: &PgConnectOptions, now: Option<DateTime<Utc>>) -> Status {
    let earlier = now.map(|now| now - TimeDelta::seconds(5));
    let mut looks = Samples::default();
    look_again(options, earlier, &mut looks).await;
    look_again(options, now, &mut looks).await
}

/// A look that is judged with those before it.
async fn look_again(
    options: &PgConnectOptions,
    now: Option<DateTime<Utc>>,
    looks: &mut Samples,
) -> Status {
    let db = Db::new(options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (stop, clock) = (CancellationToken::new(), clock());
    let watch = Watch { by_hand: by_hand(), ..Watch::default() };
    let as_of = now.map_or(AsOf::Server(&clock), AsOf::Moment);
    let before = looks.last().copied();
    let look = async |conn: &mut PgConnection| {
        messages::status(conn, &layout, &watch, as_of, before.as_ref()).await
    };
    let status = db.read("messages", &stop, look);
    let status = status.await.unwrap();
    db.close().await;
    looks.push(status.sample());
    status.with_movement(looks.movement())
}

fn rules(status: &Status) -> Vec<Rule> {
    status.findings.iter().map(|finding| finding.rule).collect()
}

fn finding(status: &Status, rule: Rule) -> &Finding {
    let found = status.findings.iter().find(|finding| finding.rule == rule);
    found.unwrap_or_else(|| panic!("{rule:?} did not fire: {:#?}", status.findings))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

mod stages {
    use super::*;

    #[tokio::test]
    async fn the_stopped_broker_is_told_from_an_idle_worker() {
        for schema in [Schema::Document, Schema::Marten9] {
            let options = fixture::stage(pg18(), schema, "4-broker-down").await;
            let status = look(&options, Some(at("2026-11-22T18:18:30Z"))).await;
            assert_eq!(status.facts.bus, Tally::Exact(137));
            assert_eq!(status.findings[0].rule, Rule::BrokerRefused, "{:#?}", status.findings);
            assert!(status.findings[0].what.contains("a worker tries"), "{:?}", status.findings[0]);
            assert_eq!(status.findings[1].rule, Rule::HeadBlocks);
            // Later nobody has tried for a while: the service waits for its broker.
            let later = look(&options, Some(at("2026-11-22T18:40:00Z"))).await;
            assert_eq!(later.findings[0].rule, Rule::BrokerRefused);
            assert!(later.findings[0].what.contains("nobody has tried since"));
            assert_eq!(later.findings[0].severity, Severity::Alert);
        }
    }

    #[tokio::test]
    async fn a_worker_that_left_the_bad_destination_is_told_beside_it() {
        let options = fixture::stage(pg18(), Schema::Marten9, "6-bad-destination").await;
        let status = look(&options, Some(at("2026-11-22T19:00:00Z"))).await;
        assert_eq!(
            rules(&status)[..3],
            [Rule::WorkerIdle, Rule::PoisonHead, Rule::HeadBlocks],
            "{:#?}",
            status.findings
        );
        let idle = &status.findings[0];
        assert!(idle.what.contains("on any of 208 open outboxes since 2026-11-22"), "{idle:?}");
        assert!(!idle.evidence.iter().any(|line| line.contains("well-formed")), "{idle:?}");
    }

    #[tokio::test]
    async fn the_bad_destination_is_found_with_what_it_holds_up() {
        for schema in [Schema::Document, Schema::Marten9] {
            let options = fixture::stage(pg18(), schema, "6-bad-destination").await;
            let status = look(&options, Some(at("2026-11-22T18:21:40Z"))).await;
            let poison = &status.findings[0];
            assert_eq!((poison.rule, poison.severity), (Rule::PoisonHead, Severity::Alert));
            assert!(poison.what.contains("bad exchange"), "{poison:?}");
            assert_eq!(poison.about, Some(Subject::Message(89)));
            let blocked = finding(&status, Rule::HeadBlocks);
            assert!(blocked.what.starts_with("207 outboxes wait behind"), "{blocked:?}");
            let blast = status.facts.blast.unwrap();
            assert_eq!(blast.outboxes, Tally::Exact(207));
            assert!(blast.orders.number() > 50 && blast.value.is_some(), "{blast:?}");
            assert_eq!(status.facts.undeliverable, Tally::Exact(1));
            let worst = &status.facts.heads[0].next.as_ref().unwrap().poison.as_ref().unwrap()[0];
            assert!(matches!(worst, Poison::Destination { .. }), "{worst:?}");
        }
    }

    #[tokio::test]
    async fn broken_headers_are_found_although_no_pass_left_a_trace() {
        let options = fixture::stage(pg18(), Schema::Marten9, "7-bad-headers").await;
        let status = look(&options, Some(at("2026-11-22T18:24:00Z"))).await;
        assert_eq!(
            rules(&status)[..2],
            [Rule::PoisonHead, Rule::HeadBlocks],
            "{:#?}",
            status.findings
        );
        let poison = &status.findings[0];
        assert!(poison.what.contains("headers cannot be read"), "{poison:?}");
        assert!(poison.evidence.iter().any(|line| line.contains("before it can be recorded")));
        assert!(status.findings[1].what.starts_with("207 outboxes wait behind"));
    }

    #[tokio::test]
    async fn messages_that_nobody_ever_tried_mean_an_idle_worker() {
        let options = fixture::stage(pg18(), Schema::Document, "1-backlog").await;
        let status = look(&options, Some(at("2026-11-22T19:00:00Z"))).await;
        assert_eq!(status.facts.bus, Tally::Exact(73));
        let idle = &status.findings[0];
        assert_eq!((idle.rule, idle.severity), (Rule::WorkerIdle, Severity::Alert));
        assert!(idle.what.contains("no pass has committed on any of 73"), "{idle:?}");
        let by: i64 = status.overview.by_type.iter().map(|group| group.messages).sum();
        assert_eq!(by, 73);
    }

    #[tokio::test]
    async fn the_inbox_of_the_real_service_adds_up() {
        // 30 messages, five of them sent twice, and three whose consumer always throws.
        let options = fixture::stage(pg18(), Schema::Marten9, "2-delivered").await;
        let status = look(&options, Some(at("2026-11-22T19:00:00Z"))).await;
        let inbox = &status.facts.inbox;
        assert_eq!(inbox.rows, Tally::Exact(33));
        assert_eq!(inbox.failing, Tally::Exact(3));
        assert_eq!(inbox.half_done, Tally::Exact(0));
        let latency = inbox.consumers.iter().find_map(|one| one.latency).unwrap();
        assert!(latency.p50 <= latency.p95 && latency.p95 <= latency.p99, "{latency:?}");
        assert!(rules(&status).contains(&Rule::Failing));
    }

    #[tokio::test]
    async fn the_oldest_server_answers_the_same() {
        let options = fixture::stage(pg15(), Schema::Document, "6-bad-destination").await;
        let status = look(&options, Some(at("2026-11-22T18:21:40Z"))).await;
        assert_eq!(status.findings[0].rule, Rule::PoisonHead);
    }
}

/// Statements that plant outboxes; `{}` is replaced by minutes.
async fn plant(conn: &mut PgConnection, count: i64, minutes: i64) {
    let sql = format!(
        "WITH made AS (INSERT INTO outbox_state (outbox_id, lock_id, created)
             SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000000', now() - interval '{minutes} min'
                 + n * interval '1 ms' FROM generate_series(1, {count}) n RETURNING outbox_id, created)
         INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body,
             destination_address, properties)
         SELECT created, outbox_id, gen_random_uuid(), 'application/vnd.masstransit+json',
             'urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent;urn:message:BookWorm.Contracts:Base',
             rpad('{{\"messageType\": [], \"message\": {{\"orderId\": \"' || gen_random_uuid() || '\"}}}}', 1500),
             'rabbitmq://h/BookWorm.Contracts:UserCheckedOutIntegrationEvent', '{{}}' FROM made ORDER BY created"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

async fn run(conn: &mut PgConnection, sql: &str) {
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

mod rules {
    use super::*;

    #[tokio::test]
    async fn an_empty_database_has_nothing_to_tell() {
        let status = look(&managed().await, None).await;
        assert_eq!(status.findings, []);
        assert_eq!(status.facts.pending(), Tally::Exact(0));
        assert_eq!(status.coverage, vec![]);
    }

    #[tokio::test]
    async fn the_holder_of_the_heads_lock_is_found_through_its_backend() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 3, 10).await;
        let mut holder = open(&options).await;
        run(&mut holder, "SET application_name = 'ordering-7f'").await;
        run(&mut holder, "BEGIN").await;
        run(&mut holder, "SELECT * FROM outbox_state ORDER BY created LIMIT 1 FOR UPDATE").await;
        let pid: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
        // Somebody who sends holds it for seconds, and is not accused.
        let status = look(&options, None).await;
        assert_eq!(rules(&status), [], "{:#?}", status.findings);
        let soon = Some(Utc::now() + TimeDelta::seconds(20));
        let status = look(&options, soon).await;
        let held = finding(&status, Rule::LockHolder);
        assert!(
            held.what.contains(&format!("backend {pid} (ordering-7f, idle in transaction")),
            "{held:?}"
        );
        let told = async |sequence| {
            let db = Db::new(&options, &Limits::default());
            let layout = db.layout().await.unwrap();
            let key = MessageKey::Sequence(sequence);
            let (mut conn, watch) = (open(&options).await, Watch::default());
            let found = messages::message(&mut conn, &layout, &watch, key);
            found.await.unwrap().unwrap().lock
        };
        let heads: Vec<i64> = sqlx::query_scalar(
            "SELECT sequence_number FROM outbox_message JOIN outbox_state USING (outbox_id) ORDER BY created LIMIT 2",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let lock = told(heads[0]).await;
        assert!(matches!(&lock, Some(Lock::Held(backend)) if backend.pid == pid), "{lock:?}");
        // The message that was inserted with it shared its row: while others hold rows, xmax cannot tell.
        assert_eq!(told(heads[1]).await, Some(Lock::Unknown));
        run(&mut holder, "ROLLBACK").await;
        assert_eq!(told(heads[0]).await, Some(Lock::Free));
        // xmax stays behind, and is no lock.
        let status = look(&options, None).await;
        assert_eq!(rules(&status), [Rule::WorkerIdle]);
        assert!(status.findings[0].evidence.iter().any(|line| line == "nobody holds its row"));
    }

    #[tokio::test]
    async fn a_held_head_with_a_real_lock_names_its_backend() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 3, 10).await;
        let mut holder = open(&options).await;
        run(&mut holder, "SET application_name = 'ordering-9c'; BEGIN").await;
        run(&mut holder, "SELECT * FROM outbox_state ORDER BY created LIMIT 1 FOR UPDATE").await;
        let pid: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
        let soon = Utc::now() + TimeDelta::seconds(20);
        let delivered = format!("timestamptz '{}'", soon.to_rfc3339());
        deliver(&mut conn, "sequence_number = 3", &delivered).await;
        let status = look(&options, Some(soon)).await;
        assert_eq!(rules(&status), [Rule::HeldHead], "{:#?}", status.findings);
        let held = &status.findings[0];
        assert!(
            held.what.contains(&format!("backend {pid} (ordering-9c, idle in transaction")),
            "{held:?}"
        );
        assert!(held.evidence.iter().any(|line| line.contains("younger outboxes leave")));
        // Two minutes on it still holds it, and by then nothing leaves.
        let status = look(&options, Some(Utc::now() + TimeDelta::minutes(5))).await;
        assert_eq!(rules(&status), [Rule::LockHolder]);
        assert_eq!(status.findings[0].severity, Severity::Alert);
        run(&mut holder, "ROLLBACK").await;
    }

    /// Records messages as delivered, with their outboxes.
    async fn deliver(conn: &mut PgConnection, which: &str, at: &str) {
        let sql = format!(
            "UPDATE outbox_state s SET delivered = {at}, last_sequence_number = m.sequence_number
             FROM (SELECT * FROM outbox_message WHERE {which}) m WHERE m.outbox_id = s.outbox_id"
        );
        run(conn, &sql).await;
    }

    #[tokio::test]
    async fn a_backlog_that_drains_in_its_order_has_no_held_head() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 5, 10).await;
        deliver(&mut conn, "sequence_number <= 2", "now()").await;
        assert_eq!(rules(&look(&options, None).await), []);
        deliver(&mut conn, "sequence_number = 4", "now()").await;
        assert_eq!(rules(&look(&options, None).await), [Rule::HeldHead]);
    }

    #[tokio::test]
    async fn a_drain_that_comes_in_bursts_is_no_fault() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 40, 10).await;
        let start = Utc::now();
        let (mut samples, mut left) = (Samples::default(), 0);
        for step in 0..12 {
            // Three looks of one burst, then two of a pause.
            let now = start + TimeDelta::seconds(5 * step);
            if step % 5 < 3 {
                left += 2;
                let which = format!("sequence_number <= {left}");
                deliver(&mut conn, &which, &format!("timestamptz '{}'", now.to_rfc3339())).await;
            }
            let status = look_again(&options, Some(now), &mut samples).await;
            if step == 11 {
                assert_eq!(rules(&status), [Rule::Stuttering], "{:#?}", status.findings);
                assert_eq!(status.findings[0].severity, Severity::Note);
            } else {
                let early = [Rule::Stuttering].as_slice();
                assert!(early.starts_with(&rules(&status)), "{step}: {:#?}", status.findings);
            }
        }
        // A pause that goes on is no stutter.
        let later = start + TimeDelta::minutes(4);
        let status = look_again(&options, Some(later), &mut samples).await;
        assert_eq!(rules(&status), [Rule::WorkerIdle], "{:#?}", status.findings);
    }

    #[tokio::test]
    async fn outboxes_held_by_hand_do_not_hide_the_head() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 24, 10).await;
        let hold = "INSERT INTO orderscope.held_outboxes (outbox_id, held_at, held_by, operation)
            SELECT outbox_id, now(), 'mai', gen_random_uuid() FROM outbox_message WHERE sequence_number <= 21";
        run(&mut conn, hold).await;
        let status = look(&options, None).await;
        assert_eq!(
            rules(&status),
            [Rule::WorkerIdle, Rule::PausedOutbox],
            "{:#?}",
            status.findings
        );
        assert_eq!(status.facts.heads.len(), 3);
        assert_eq!(status.findings[0].about, Some(Subject::Message(22)));
        assert_eq!(status.facts.blast.unwrap().outboxes, Tally::Exact(2));
    }

    #[tokio::test]
    async fn our_own_relay_passes_over_a_poison_and_is_judged_by_the_next() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 1, 20).await;
        run(&mut conn, "UPDATE outbox_message SET headers = '{broken'").await;
        let alone = look(&options, None).await;
        assert_eq!(rules(&alone), [Rule::PoisonHead], "{:#?}", alone.findings);
        let line = "delivers all others meanwhile";
        assert!(alone.findings[0].evidence.iter().any(|told| told.contains(line)));
        plant(&mut conn, 2, 18).await;
        let status = look(&options, None).await;
        assert_eq!(rules(&status), [Rule::WorkerIdle, Rule::PoisonHead], "{:#?}", status.findings);
        assert_eq!(status.findings[0].about, Some(Subject::Message(2)));
        let told = &status.findings[0].evidence;
        assert!(
            told.iter().any(|line| line.starts_with("2 outboxes behind the oldest were looked at")),
            "{told:?}"
        );
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let watch = Watch::default();
        let shown =
            messages::message(&mut conn, &layout, &watch, MessageKey::Sequence(1)).await.unwrap();
        let shown = shown.unwrap();
        let table = format!("{:?}", messages::report::envelope(&shown, Utc::now()));
        assert!(table.contains("the relay leaves its outbox alone"), "{table}");
        // The others wait for the relay, not for that one.
        let next =
            messages::message(&mut conn, &layout, &watch, MessageKey::Sequence(2)).await.unwrap();
        for (message, expected) in [
            (shown, [Rule::WorkerIdle, Rule::PoisonHead].as_slice()),
            (next.unwrap(), &[Rule::WorkerIdle]),
        ] {
            let found = messages::concerning(status.findings.clone(), &message, &status.facts);
            let rules: Vec<_> = found.iter().map(|finding| finding.rule).collect();
            assert_eq!(rules, expected);
        }
    }

    #[tokio::test]
    async fn how_long_messages_take_to_leave_is_told_where_rows_are_kept() {
        let options = managed().await;
        let mut conn = open(&options).await;
        let none = look(&options, None).await.facts.published;
        assert!(matches!(none, Published::Unknown(why) if why.contains("no delivery")), "{none:?}");
        plant(&mut conn, 101, 60).await;
        deliver(
            &mut conn,
            "sequence_number <= 100",
            "s.created + m.sequence_number * interval '1 s'",
        )
        .await;
        // One of two days ago tells nothing of today.
        plant(&mut conn, 1, 3_000).await;
        deliver(&mut conn, "sequence_number = 102", "s.created + interval '1 h'").await;
        let status = look(&options, None).await;
        let Published::Took(took) = status.facts.published else { panic!("{status:?}") };
        let seconds = [took.p50, took.p95, took.p99].map(|took| took.num_seconds());
        assert_eq!((took.rows, seconds), (100, [50, 95, 99]));
        let told = messages::report::status_value(&status);
        assert_eq!(told["publish_latency"]["p95_ms"], 95_000);
        let service = fixture::empty(pg18(), Schema::Document).await;
        let told = messages::report::status_value(&look(&service, None).await);
        let why = told["publish_latency"]["why"].as_str().unwrap();
        assert!(why.contains("deletes outboxes as it delivers"), "{told}");
    }

    #[tokio::test]
    async fn a_held_head_while_a_younger_one_left() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 3, 10).await;
        run(
            &mut conn,
            "UPDATE outbox_state SET delivered = now(), last_sequence_number = 3
             WHERE outbox_id = (SELECT outbox_id FROM outbox_message WHERE sequence_number = 3)",
        )
        .await;
        let status = look(&options, None).await;
        assert_eq!(rules(&status), [Rule::HeldHead]);
        assert!(status.findings[0].what.contains("its delivery fails"));
    }

    #[tokio::test]
    async fn orphans_expired_and_undeliverable_messages_are_counted_and_listed() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 5, 0).await;
        run(
            &mut conn,
            "UPDATE outbox_message SET outbox_id = NULL WHERE sequence_number = 1;
             UPDATE outbox_message SET expiration_time = now() - interval '1 min' WHERE sequence_number = 2;
             UPDATE outbox_message SET destination_address = NULL WHERE sequence_number = 3;
             UPDATE outbox_message SET destination_address = 'nowhere' WHERE sequence_number = 4",
        )
        .await;
        let status = look(&options, None).await;
        assert_eq!(rules(&status), [Rule::Undeliverable, Rule::Orphans, Rule::Expired]);
        assert_eq!(
            (status.facts.orphans, status.facts.expired),
            (Tally::Exact(1), Tally::Exact(1))
        );
        assert_eq!(status.facts.undeliverable, Tally::Exact(2));
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        for (view, sequences, delivery) in [
            (View::Orphan, vec![1], Delivery::Orphan),
            (View::Expired, vec![2], Delivery::Pending),
            (View::Undeliverable, vec![3, 4], Delivery::Pending),
        ] {
            let (rows, _) =
                outbox::list(&mut conn, &layout, view, &[], None, 10, Utc::now()).await.unwrap();
            let found: Vec<_> = rows.iter().map(|row| (row.sequence, row.delivery)).collect();
            let expected: Vec<_> = sequences.iter().map(|one| (*one, delivery)).collect();
            assert_eq!(found, expected);
        }
        let nowhere = [Filter::Destination(None)];
        let (rows, _) =
            outbox::list(&mut conn, &layout, View::Undeliverable, &nowhere, None, 10, Utc::now())
                .await
                .unwrap();
        assert_eq!(rows.iter().map(|row| row.sequence).collect::<Vec<_>>(), [3]);
    }

    /// The database finds the destinations that the domain cannot read, and no others.
    #[tokio::test]
    async fn undeliverable_are_the_destinations_that_no_delivery_can_use() {
        let addresses = [
            "rabbitmq://h/A.B:C",
            "RabbitMQ://h:5673/v%2Fhost/A",
            "amqps://user@h//x?durable=false&type=direct",
            "queue:/q?bind=true&queue=other&x=1&&",
            " exchange:e?alternateexchange=a ",
            "queue:q?Type=odd&types=odd",
            "queue:q?",
            "nowhere",
            "topic:t",
            "queue:",
            "queue:a%20b",
            "queue:a/b",
            "rabbitmq:h/x",
            "rabbitmq:///x",
            "rabbitmq://h",
            "rabbitmq://h/",
            "rabbitmq://h h/x",
            "rabbitmq://h/v/bad name?type=nonsense",
            "queue:q?type=x-delayed-message",
            "queue:q?type",
            "queue:q?durable=True",
            "queue:q?x=1&bind",
            "queue:q?bind=true&queue=a b",
            "queue:q?alternateexchange=",
            "loopback://h/x",
        ];
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, i64::try_from(addresses.len()).unwrap(), 0).await;
        for (at, address) in addresses.iter().enumerate() {
            sqlx::query(
                "UPDATE outbox_message SET destination_address = $1 WHERE sequence_number = $2",
            )
            .bind(address)
            .bind(i64::try_from(at + 1).unwrap())
            .execute(&mut conn)
            .await
            .unwrap();
        }
        let layout = Db::new(&options, &Limits::default()).layout().await.unwrap();
        let bad = View::Undeliverable;
        let (rows, _) =
            outbox::list(&mut conn, &layout, bad, &[], None, 100, Utc::now()).await.unwrap();
        let found: Vec<_> =
            rows.iter().map(|row| row.destination.clone().unwrap_or_default()).collect();
        let unread = addresses.into_iter().filter(|address| Address::parse(address).is_err());
        assert_eq!(found, unread.collect::<Vec<_>>());
        assert_eq!(found.len(), 18);
    }

    #[tokio::test]
    async fn a_message_that_is_being_handled_is_not_failing() {
        let options = managed().await;
        let mut conn = open(&options).await;
        let (busy, failed) = (Uuid::new_v4(), Uuid::new_v4());
        for message in [busy, failed] {
            receive(&mut conn, message, "now() - interval '5 min', 0, NULL, NULL, NULL").await;
        }
        receive(&mut conn, Uuid::new_v4(), "now(), 0, NULL, NULL, NULL").await;
        let mut holder = open(&options).await;
        run(&mut holder, "BEGIN").await;
        run(
            &mut holder,
            &format!("SELECT FROM inbox_state WHERE message_id = '{busy}' FOR UPDATE"),
        )
        .await;
        let status = look(&options, None).await;
        assert_eq!(status.facts.inbox.failing, Tally::Exact(1));
        run(&mut holder, "ROLLBACK").await;
        let status = look(&options, None).await;
        assert_eq!(status.facts.inbox.failing, Tally::Exact(2));
        // The list leaves out what was received just now, too.
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let rows =
            inbox::list(&mut conn, &layout, (InboxView::Failing, HELD), None, 10).await.unwrap();
        assert_eq!(rows.len(), 2);
    }

    #[tokio::test]
    async fn a_consumer_at_work_says_nothing_of_another_with_the_same_message() {
        let options = managed().await;
        let mut conn = open(&options).await;
        let message = Uuid::new_v4();
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        for (received, consumed) in [("'5 min'", "NULL"), ("'6 min'", "now() - interval '5 min'")] {
            let message = if consumed == "NULL" { message } else { Uuid::max() };
            for consumer in ids {
                let values = format!("now() - interval {received}, 0, {consumed}, NULL, NULL");
                receive_by(&mut conn, message, consumer, &values).await;
            }
        }
        let mut holder = open(&options).await;
        run(&mut holder, "BEGIN").await;
        let lock = format!("SELECT FROM inbox_state WHERE consumer_id = '{}' FOR UPDATE", ids[1]);
        run(&mut holder, &lock).await;
        let status = look(&options, None).await;
        let inbox = &status.facts.inbox;
        let failing: Vec<_> =
            inbox.consumers.iter().map(|one| (one.consumer.0, one.failing)).collect();
        assert!(failing.contains(&(ids[0], 1)) && failing.contains(&(ids[1], 0)), "{failing:?}");
        let mut halves: Vec<_> = inbox
            .halves
            .iter()
            .map(|row| (row.consumer.0, matches!(row.lock, Lock::Held(_)), row.lock == Lock::Free))
            .collect();
        halves.sort_unstable();
        assert_eq!(halves, [(ids[0], false, true), (ids[1], true, false)]);
        run(&mut holder, "ROLLBACK").await;
    }

    #[tokio::test]
    async fn only_the_oldest_half_done_rows_are_looked_into_and_that_is_said() {
        let options = managed().await;
        let mut conn = open(&options).await;
        for _ in 0..21 {
            let old = "now() - interval '5 min'";
            receive(&mut conn, Uuid::new_v4(), &format!("{old}, 1, {old}, NULL, NULL")).await;
        }
        let status = look(&options, None).await;
        let half = finding(&status, Rule::HalfDone);
        assert!(half.what.starts_with("21 messages consumed"), "{half:?}");
        let line = "only the 20 received first were looked into";
        assert!(half.evidence.iter().any(|told| told.contains(line)), "{half:?}");
    }

    #[tokio::test]
    async fn the_list_of_failing_rows_goes_by_the_same_setting_as_their_count() {
        let options = managed().await;
        let mut conn = open(&options).await;
        receive(&mut conn, Uuid::new_v4(), "now() - interval '5 min', 0, NULL, NULL, NULL").await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        for (minutes, expected) in [(1, 1), (10, 0)] {
            let mut watch = Watch::default();
            watch.thresholds.held = TimeDelta::minutes(minutes);
            let counted = messages::inbox_facts(&mut conn, &layout, &watch, None).await.unwrap();
            assert_eq!(counted.failing, Tally::Exact(expected));
            let view = (InboxView::Failing, watch.thresholds.held);
            let rows = inbox::list(&mut conn, &layout, view, None, 10).await.unwrap();
            assert_eq!(i64::try_from(rows.len()).unwrap(), expected, "{minutes}");
        }
    }

    const INBOX: &str = "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed,
        delivered, last_sequence_number) VALUES ";

    async fn receive(conn: &mut PgConnection, message: Uuid, values: &str) {
        let consumer = Uuid::from_u128(0xe2f7_c838_07b9_51f1_e07e_cae2_7e7c_dc6e);
        receive_by(conn, message, consumer, values).await;
    }

    async fn receive_by(conn: &mut PgConnection, message: Uuid, consumer: Uuid, values: &str) {
        let lock = Uuid::nil();
        run(conn, &format!("{INBOX} ('{message}', '{consumer}', '{lock}', {values})")).await;
    }

    #[tokio::test]
    async fn half_done_consumers_wait_and_aimless_ones_repeat() {
        let options = managed().await;
        let mut conn = open(&options).await;
        let message = Uuid::new_v4();
        receive(
            &mut conn,
            message,
            "now() - interval '5 min', 1, now() - interval '5 min', NULL, NULL",
        )
        .await;
        run(
            &mut conn,
            &format!(
                "INSERT INTO outbox_message (sent_time, inbox_message_id, inbox_consumer_id, message_id, content_type,
                     message_type, body, destination_address)
                 SELECT now(), message_id, consumer_id, gen_random_uuid(), 'x/y', 'urn:message:A:B', '{{}}', 'queue:q'
                 FROM inbox_state WHERE message_id = '{message}'"
            ),
        )
        .await;
        let status = look(&options, None).await;
        assert_eq!(status.facts.consumer, Tally::Exact(1));
        let half = finding(&status, Rule::HalfDone);
        assert!(half.what.contains("wait for redelivery"), "{half:?}");
        assert_eq!(status.facts.inbox.halves[0].pending, 1);
        run(&mut conn, "UPDATE outbox_message SET destination_address = NULL").await;
        run(&mut conn, "UPDATE inbox_state SET receive_count = 2300").await;
        let status = look(&options, None).await;
        let half = finding(&status, Rule::HalfDone);
        assert!(half.what.contains("repeats without end: 2300 passes"), "{half:?}");
    }

    #[tokio::test]
    async fn a_clean_up_that_outbox_rows_block_is_told_where_a_service_cleans() {
        let options = fixture::empty(pg18(), Schema::Document).await;
        let mut conn = open(&options).await;
        let blocker = Uuid::new_v4();
        for message in [blocker, Uuid::new_v4()] {
            let old = "now() - interval '2 h'";
            receive(&mut conn, message, &format!("{old}, 3, {old}, {old}, 7")).await;
        }
        run(
            &mut conn,
            &format!(
                "INSERT INTO outbox_message (sequence_number, sent_time, inbox_message_id, inbox_consumer_id, message_id,
                     content_type, message_type, body)
                 SELECT 7, now(), message_id, consumer_id, gen_random_uuid(), 'x/y', 'urn:message:A:B', '{{}}'
                 FROM inbox_state WHERE message_id = '{blocker}'"
            ),
        )
        .await;
        let status = look(&options, None).await;
        let blocked = finding(&status, Rule::CleanUpBlocked);
        assert!(blocked.what.contains("1 message delivered"), "{blocked:?}");
        assert!(blocked.evidence[0].starts_with("2 messages are past the window"), "{blocked:?}");
        // The document's schema lacks the indexes of MassTransit's model.
        assert!(rules(&status).contains(&Rule::MissingIndexes));
    }

    #[tokio::test]
    async fn duplicates_are_exact_where_nothing_was_produced_and_estimated_elsewhere() {
        let options = managed().await;
        let mut conn = open(&options).await;
        let mut add = async |values: &str| receive(&mut conn, Uuid::new_v4(), values).await;
        for count in [3, 3, 5] {
            add(&format!("now(), {count}, now(), now(), NULL")).await;
        }
        // Rows of another writer with fewer passes do not hide those.
        for count in [1, 1, 2] {
            add(&format!("now(), {count}, now(), now(), NULL")).await;
        }
        // Each produced two messages, so five passes are normal; one was received twice more.
        for count in [5; 20] {
            add(&format!("now(), {count}, now(), now(), 9")).await;
        }
        add("now(), 7, now(), now(), 9").await;
        let status = look(&options, None).await;
        let (exact, estimated, share) = status.facts.inbox.duplicates();
        assert_eq!((exact, estimated), (2, 2));
        assert_eq!(status.facts.inbox.recent(), (31, 4));
        assert!((share.unwrap() - 4.0 * 100.0 / 31.0).abs() < 0.01, "{share:?}");
    }

    /// Events of orders that were written so many seconds ago.
    pub(super) async fn events(conn: &mut PgConnection, seconds: &[i64]) {
        for (number, seconds) in (1..).zip(seconds) {
            let stream = Uuid::new_v4();
            run(
                conn,
                &format!(
                    "INSERT INTO mt_streams (id, type, version) VALUES ('{stream}', 'x', 1);
                     INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp)
                     VALUES ({number}, gen_random_uuid(), '{stream}', 1, '{{}}', 'order_placed_event',
                         now() - interval '{seconds} s')"
                ),
            )
            .await;
        }
    }

    #[tokio::test]
    async fn events_without_messages_mean_that_the_outbox_is_bypassed() {
        // One of this moment is no proof: its message may be on its way.
        let (young, began) = (managed().await, Utc::now());
        events(&mut open(&young).await, &[60]).await;
        let soon = began - TimeDelta::seconds(57);
        assert_eq!(rules(&look(&young, Some(soon)).await), []);
        let options = managed().await;
        let mut conn = open(&options).await;
        events(&mut conn, &[300, 60]).await;
        let status = look(&options, None).await;
        assert_eq!(rules(&status), [Rule::Bypassed]);
        assert!(status.findings[0].what.ends_with("but never a message"), "{:?}", status.findings);
        // It was used once: four minutes ago, after the first event and before the second.
        plant(&mut conn, 1, 4).await;
        run(&mut conn, "UPDATE outbox_state SET delivered = now()").await;
        let status = look(&options, None).await;
        let bypassed = finding(&status, Rule::Bypassed);
        assert!(bypassed.what.contains("an event was written since"), "{bypassed:?}");
        // And a minute ago.
        run(&mut conn, "UPDATE outbox_message SET sent_time = now() - interval '59 s'").await;
        assert_eq!(rules(&look(&options, None).await), []);
    }

    #[tokio::test]
    async fn messages_that_came_and_left_are_no_bypass_and_our_looks_tell_when_none_came() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 1, 4).await;
        // As the service does: what is delivered is gone.
        run(&mut conn, "DELETE FROM outbox_message; DELETE FROM outbox_state").await;
        events(&mut conn, &[60]).await;
        let mut first = Samples::default();
        let status = look_again(&options, None, &mut first).await;
        assert_eq!(rules(&status), [], "{:#?}", status.findings);
        let earlier = Sample { at: status.facts.now - TimeDelta::minutes(3), ..status.sample() };
        let mut looks = Samples::default();
        looks.push(earlier);
        let told = look_again(&options, None, &mut looks).await;
        assert_eq!(rules(&told), [Rule::Bypassed], "{:#?}", told.findings);
        let mut came = Samples::default();
        let number = earlier.mark.number.map(|number| number - 1);
        came.push(Sample { mark: Mark { number, ..earlier.mark }, ..earlier });
        let status = look_again(&options, None, &mut came).await;
        assert_eq!(rules(&status), [], "{:#?}", status.findings);
    }

    #[tokio::test]
    async fn a_clock_of_ours_that_is_wrong_is_told() {
        let options = managed().await;
        assert_eq!(rules(&look(&options, None).await), []);
        // The server's clock cannot be set: for this session another one is in front of it.
        let mut conn = open(&options).await;
        run(
            &mut conn,
            "CREATE SCHEMA clocks;
             CREATE FUNCTION clocks.now() RETURNS timestamptz STABLE LANGUAGE sql
                 AS $$ SELECT pg_catalog.now() - interval '5 min' $$;
             SET search_path = clocks, pg_catalog, public",
        )
        .await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let clock = clock();
        let (watch, as_of) = (Watch::default(), AsOf::Server(&clock));
        let status = messages::status(&mut conn, &layout, &watch, as_of, None).await.unwrap();
        db.close().await;
        let skew = finding(&status, Rule::ClockSkew);
        assert!(
            skew.what.starts_with("this machine's clock and the database's are 5m"),
            "{skew:?}"
        );
    }

    #[tokio::test]
    async fn a_clock_that_is_ahead_is_told() {
        let options = managed().await;
        plant(&mut open(&options).await, 1, -3).await;
        let status = look(&options, None).await;
        assert!(finding(&status, Rule::ClockSkew).what.contains("application's clock"));
    }
}

mod lists {
    use super::*;

    #[tokio::test]
    async fn pages_by_key_show_every_message_once() {
        for schema in [None, Some(Schema::Document), Some(Schema::Marten9)] {
            let options = match schema {
                None => demo(2_000).await,
                Some(schema) => fixture::stage(pg18(), schema, "5-gap-and-failure").await,
            };
            let db = Db::new(&options, &Limits::default());
            let layout = db.layout().await.unwrap();
            let mut conn = open(&options).await;
            for view in [View::Pending, View::Delivered] {
                let (mut seen, mut after): (Vec<i64>, Option<Cursor>) = (vec![], None);
                for _ in 0..1_000 {
                    let (rows, _) =
                        outbox::list(&mut conn, &layout, view, &[], after, 7, Utc::now())
                            .await
                            .unwrap();
                    let Some(last) = rows.last() else { break };
                    after = Some(last.key);
                    seen.extend(rows.iter().map(|row| row.sequence));
                    if view == View::Delivered && seen.len() > 70 {
                        break;
                    }
                }
                let mut once = seen.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), seen.len());
                if view == View::Pending {
                    let status = look(&options, None).await;
                    assert_eq!(i64::try_from(seen.len()).unwrap(), status.facts.pending().number());
                }
            }
        }
    }

    #[tokio::test]
    async fn messages_are_found_by_every_type_they_can_be_received_as() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 3, 0).await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        for (kind, found) in [
            ("urn:message:BookWorm.Contracts:Base", 3),
            ("Base", 3),
            ("UserCheckedOutIntegrationEvent", 3),
            ("BookWorm.Contracts:Base", 3),
            ("IntegrationEvent", 0),
            ("", 0),
        ] {
            let filter = [Filter::Type(kind.to_owned())];
            let rows =
                outbox::list(&mut conn, &layout, View::Pending, &filter, None, 500, Utc::now());
            assert_eq!(rows.await.unwrap().0.len(), found, "{kind}");
        }
    }

    #[tokio::test]
    async fn a_group_leads_to_its_messages() {
        let options = fixture::stage(pg18(), Schema::Marten9, "6-bad-destination").await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let mut conn = open(&options).await;
        let status = look(&options, Some(at("2026-11-22T18:21:40Z"))).await;
        for group in &status.overview.by_type {
            let filter = Filter::Type(group.key.clone().unwrap());
            let (rows, _) =
                outbox::list(&mut conn, &layout, View::Pending, &[filter], None, 500, Utc::now())
                    .await
                    .unwrap();
            assert_eq!(i64::try_from(rows.len()).unwrap(), group.messages, "{group:?}");
        }
        for group in &status.overview.by_destination {
            let filter = Filter::Destination(group.key.clone());
            let (rows, _) =
                outbox::list(&mut conn, &layout, View::Pending, &[filter], None, 500, Utc::now())
                    .await
                    .unwrap();
            assert_eq!(i64::try_from(rows.len()).unwrap(), group.messages, "{group:?}");
        }
        let outbox = status.facts.heads[0].outbox;
        let (rows, _) = outbox::list(
            &mut conn,
            &layout,
            View::Pending,
            &[Filter::Outbox(outbox)],
            None,
            500,
            Utc::now(),
        )
        .await
        .unwrap();
        assert_eq!(rows.iter().map(|row| row.sequence).collect::<Vec<_>>(), [89]);
    }

    #[tokio::test]
    async fn one_message_is_shown_with_all_of_it() {
        let options = fixture::stage(pg18(), Schema::Marten9, "6-bad-destination").await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let mut conn = open(&options).await;
        let watch = Watch::default();
        let message = messages::message(&mut conn, &layout, &watch, MessageKey::Sequence(89))
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(message.poison[..], [Poison::Destination { .. }]), "{:?}", message.poison);
        assert_eq!(message.ahead, Some(Tally::Exact(0)));
        assert_eq!(
            message.shown.order.map(|order| order.to_string()).as_deref(),
            Some("01a20479-edd2-7e28-ae4c-969d8e0c04ab")
        );
        let body = messages::report::body(&message, true).to_string();
        assert!(!body.contains("someone@example.org") && body.contains("287.97"), "{body}");
        let again = messages::message(
            &mut conn,
            &layout,
            &watch,
            MessageKey::Message(message.shown.content.message),
        );
        assert_eq!(again.await.unwrap().unwrap(), message);
        let gone =
            messages::message(&mut conn, &layout, &watch, MessageKey::Sequence(1)).await.unwrap();
        assert_eq!(gone, None);
    }

    #[tokio::test]
    async fn the_inbox_is_listed_by_what_is_wrong() {
        let options = fixture::stage(pg18(), Schema::Marten9, "2-delivered").await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let mut conn = open(&options).await;
        let mut count = async |view| {
            inbox::list(&mut conn, &layout, (view, HELD), None, 100).await.unwrap().len()
        };
        assert_eq!(count(InboxView::All).await, 33);
        assert_eq!(count(InboxView::Failing).await, 3);
        assert_eq!(count(InboxView::HalfDone).await, 0);
    }

    #[tokio::test]
    async fn what_is_not_done_is_seen_before_what_came_last() {
        let options = fixture::stage(pg18(), Schema::Marten9, "2-delivered").await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let mut conn = open(&options).await;
        let rows = inbox::glance(&mut conn, &layout, 5).await.unwrap();
        let (open, done) = rows.split_at(3);
        assert_eq!((open.len(), done.len()), (3, 2));
        assert!(open.iter().all(|row| row.delivered.is_none()), "{rows:?}");
        assert!(open.is_sorted_by_key(|row| row.received), "the one that waits longest first");
        assert!(
            done.iter().all(|row| row.delivered.is_some()) && done[0].id > done[1].id,
            "{rows:?}"
        );
        assert_eq!(inbox::glance(&mut conn, &layout, 2).await.unwrap(), open[..2]);
    }

    #[tokio::test]
    async fn a_day_of_the_inbox_is_added_up_by_hour() {
        let options = managed().await;
        let mut conn = open(&options).await;
        run(
            &mut conn,
            "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
             SELECT gen_random_uuid(), '00000000-0000-0000-0000-00000000dc6e', gen_random_uuid(),
               date_trunc('hour', now(), 'UTC') - make_interval(hours => hours), passes,
               CASE WHEN passes > 0 THEN now() END, CASE WHEN passes > 2 THEN now() END
             FROM (VALUES (0, 3), (0, 5), (0, 0), (23, 1), (24, 3), (-1, 3)) v (hours, passes)",
        )
        .await;
        let db = Db::new(&options, &Limits::default());
        let layout = db.layout().await.unwrap();
        let day = messages::day(&mut conn, &layout).await.unwrap();
        let told = day
            .hours
            .iter()
            .map(|hour| ((hour.at - day.from).num_hours(), hour.received, hour.again, hour.open));
        // Neither the hour before nor one that is still to come.
        assert_eq!(told.collect::<Vec<_>>(), [(0, 1, 0, 1), (23, 3, 1, 1)]);
    }
}

mod cost {
    use super::*;

    /// 100,000 rows in each table: open outboxes, delivered ones that were kept, an inbox with a little of
    /// everything.
    async fn large(options: &PgConnectOptions, delivered: bool) -> PgConnection {
        let mut conn = open(options).await;
        plant(&mut conn, 100_000, 120).await;
        if delivered {
            run(
                &mut conn,
                "UPDATE outbox_state SET delivered = created + interval '1 s'
                 WHERE outbox_id IN (SELECT outbox_id FROM outbox_message WHERE sequence_number <= 99000)",
            )
            .await;
        }
        run(
            &mut conn,
            "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered,
                 last_sequence_number)
             SELECT gen_random_uuid(), ('00000000-0000-0000-0000-00000000000' || n % 5)::uuid,
                 '00000000-0000-0000-0000-000000000000', t, 3 + n % 2, CASE WHEN n % 1000 > 0 THEN t END,
                 CASE WHEN n % 500 > 1 THEN t + n % 90 * interval '1 ms' END, CASE WHEN n % 2 = 0 THEN n END
             FROM generate_series(1, 100000) n, LATERAL (SELECT now() - n * interval '1 s' AS t) x",
        )
        .await;
        run(&mut conn, "VACUUM (ANALYZE) outbox_message, outbox_state, inbox_state").await;
        conn
    }

    /// Rows read by sequential scans, and fetched through indexes, in the open transaction.
    async fn read(conn: &mut PgConnection, table: &str) -> (i64, i64) {
        sqlx::query_as(
            "SELECT coalesce(sum(seq_tup_read), 0)::bigint, coalesce(sum(idx_tup_fetch), 0)::bigint
             FROM pg_stat_xact_user_tables WHERE relname = $1",
        )
        .bind(table)
        .fetch_one(conn)
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_look_reads_what_is_pending_and_not_the_table() {
        for (schema, delivered) in [(None, true), (Some(Schema::Marten9), false)] {
            let options = match schema {
                None => managed().await,
                Some(schema) => fixture::empty(pg18(), schema).await,
            };
            let mut conn = large(&options, delivered).await;
            let db = Db::new(&options, &Limits::default());
            let layout = db.layout().await.unwrap();
            run(&mut conn, "SET plan_cache_mode = force_custom_plan; BEGIN").await;
            let clock = clock();
            let (watch, as_of) = (Watch::default(), AsOf::Server(&clock));
            let status = messages::status(&mut conn, &layout, &watch, as_of, None).await.unwrap();
            let (sequential, fetched) = read(&mut conn, "outbox_message").await;
            assert_eq!(sequential, 0, "{schema:?} {delivered}: the messages were read whole");
            // The sample, the count, the heads, what waits behind, orphans and expired ones.
            assert!(fetched < 30_000, "{schema:?} {delivered}: {fetched} messages were fetched");
            let (sequential, fetched) = read(&mut conn, "outbox_state").await;
            if delivered {
                assert_eq!(sequential, 0, "the outboxes were read whole");
                // The open ones, what left of late, the parents of what is looked up alone.
                assert!(fetched < 20_000, "{fetched} outboxes were fetched");
                assert_eq!(status.facts.bus, Tally::Exact(1_000));
            } else {
                assert_eq!(status.facts.bus, Tally::About(100_000));
            }
            // What was read so far is not counted again.
            run(&mut conn, "SELECT pg_stat_force_next_flush(); COMMIT").await;
            run(&mut conn, "BEGIN").await;
            for view in View::ALL {
                outbox::list(&mut conn, &layout, view, &[], None, 100, Utc::now()).await.unwrap();
            }
            let (sequential, fetched) = read(&mut conn, "outbox_message").await;
            assert_eq!(sequential, 0, "{schema:?} {delivered}: a list read the messages whole");
            // Of undeliverable ones at most the oldest 5,000 are looked at, and their destinations once more.
            assert!(
                fetched < 11_000,
                "{schema:?} {delivered}: {fetched} messages were fetched for lists"
            );
            run(&mut conn, "COMMIT").await;
        }
    }

    #[tokio::test]
    async fn sums_beyond_the_sample_are_near_the_truth() {
        let options = managed().await;
        let mut conn = open(&options).await;
        plant(&mut conn, 6_000, 5).await;
        let soon = Some(Utc::now() + TimeDelta::seconds(1));
        let status = look(&options, soon).await;
        assert_eq!(status.facts.bus, Tally::Exact(6_000));
        assert!(rules(&status).contains(&Rule::Backlog));
        // The oldest have more messages than the others: what is counted is not estimated from those.
        run(
            &mut conn,
            "INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body,
                 destination_address)
             SELECT now(), outbox_id, gen_random_uuid(), 'a/b', 'urn:message:A:B', '{}', 'queue:q'
             FROM outbox_message, generate_series(1, 4) WHERE sequence_number <= 1500",
        )
        .await;
        assert_eq!(look(&options, soon).await.facts.bus, Tally::Exact(12_000));
        plant(&mut conn, 20_000, 5).await;
        let status = look(&options, soon).await;
        let Tally::About(about) = status.facts.bus else { panic!("{:?}", status.facts.bus) };
        assert!((31_000..35_000).contains(&about), "{about}");
    }
}
