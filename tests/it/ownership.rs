//! Attaching to a service's database and handing one over.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::{
    support::{
        catalog,
        fixture::{self, Schema},
        postgres::{managed, pg15, pg18},
    },
    verbs::Home,
};

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn record(options: &PgConnectOptions) -> (String, Option<String>) {
    let row = sqlx::query_as("SELECT kind, publisher FROM orderscope.database");
    row.fetch_one(&mut open(options).await).await.unwrap()
}

async fn schema(options: &PgConnectOptions) -> Option<String> {
    let schema = sqlx::query_scalar("SELECT to_regnamespace('orderscope')::text");
    schema.fetch_one(&mut open(options).await).await.unwrap()
}

#[tokio::test]
async fn attaching_makes_our_schema_and_touches_nothing_of_the_service() {
    for (server, kind) in
        [(pg18(), Schema::Marten9), (pg18(), Schema::Document), (pg15(), Schema::Marten9)]
    {
        let options = fixture::own(server, kind, "1-backlog").await;
        let before = catalog::public(&mut open(&options).await).await;
        let home = Home::on(&options);
        let asked = home.run(&["attach", "--reason", "support desk"]);
        assert_eq!((asked.code, asked.out.as_str()), (4, ""), "{asked:?}");
        for told in ["makes schema orderscope", "No table of the service is changed", "say --yes"] {
            assert!(asked.err.contains(told), "no {told:?} in {}", asked.err);
        }
        assert_eq!(schema(&options).await, None);
        home.refused(&["attach", "--yes"], 2, &["--reason is needed"]);
        home.refused(&["attach", "--yes", "--reason", "x", "--read-only"], 4, &["read-only"]);
        let planned = home.json(&["attach", "--dry-run"], 0);
        assert_eq!((&planned["command"], &planned["word"]), (&"Attach".into(), &"ATTACH".into()));
        assert_eq!(schema(&options).await, None);

        let done = home.run(&["attach", "--yes", "--reason", "support desk"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(
            done.out.contains("attached") && done.out.contains("who publishes is unknown"),
            "{done:?}"
        );
        assert_eq!(record(&options).await, ("attached".to_owned(), None));
        assert_eq!(catalog::public(&mut open(&options).await).await, before);
        // Said later; what was said stays.
        for (publisher, expected) in
            [(Some("service"), "service"), (None, "service"), (Some("outbox"), "outbox")]
        {
            let mut words = vec!["attach", "--yes", "--reason", "x"];
            words.extend(publisher.iter().flat_map(|name| ["--publisher", name]));
            let done = home.run(&words);
            assert!(done.code == 0 && done.out.contains("attached already"), "{done:?}");
            assert_eq!(record(&options).await.1.as_deref(), Some(expected));
        }
        let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
        assert_eq!(list.as_array().unwrap().len(), 4, "{list}");
        assert_eq!(
            (&list[3]["intent"], &list[3]["reason"]),
            (&"Attach".into(), &"support desk".into())
        );
        assert_eq!(home.json(&["audit", "verify"], 0)["sound"], true);
        home.refused(&["hand-over", "--yes", "--reason", "x"], 4, &["attached already"]);
        home.refused(&["migrate", "--yes", "--reason", "x"], 4, &["Orderscope"]);
    }
}

#[tokio::test]
async fn only_a_services_database_is_attached() {
    let options = managed().await;
    let home = Home::on(&options);
    home.refused(&["attach", "--yes", "--reason", "x"], 4, &["Orderscope's own", "hand-over"]);
    assert_eq!(record(&options).await.0, "managed");
    let empty = pg18().empty().await;
    let attach = ["attach", "--yes", "--reason", "x"];
    Home::on(&empty).refused(&attach, 4, &["no tables", "orderscope migrate"]);
    assert_eq!(schema(&empty).await, None);
    // A managed one in which the service appeared is the service's.
    let sign = "CREATE FUNCTION public.mt_archive_stream(uuid) RETURNS void LANGUAGE sql AS ''";
    open(&options).await.execute(sign).await.unwrap();
    let done = home.run(&attach);
    assert!(done.code == 0 && done.out.contains("Marten's functions"), "{done:?}");
    assert_eq!(record(&options).await, ("attached".to_owned(), None));
}

#[tokio::test]
async fn who_may_not_make_a_schema_is_told_so() {
    let options = fixture::own(pg18(), Schema::Marten9, "1-backlog").await;
    let role = format!("guest_{}", options.get_database().unwrap());
    let mut conn = open(&options).await;
    let make =
        format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}");
    conn.execute(AssertSqlSafe(make)).await.unwrap();
    let guest = Home::on(&options.clone().username(&role));
    let attach = ["attach", "--yes", "--reason", "x"];
    guest.refused(&attach, 4, &["GRANT CREATE ON DATABASE"]);
    assert_eq!(schema(&options).await, None);
    assert_eq!(Home::on(&options).run(&attach).code, 0);
    guest.refused(&[&attach[..], &["--publisher", "outbox"]].concat(), 4, &[]);
    assert_eq!(record(&options).await.1, None);
    for sql in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

#[tokio::test]
async fn handing_over_is_for_good() {
    let options = managed().await;
    let home = Home::on(&options);
    let before = catalog::public(&mut open(&options).await).await;
    let asked = home.run(&["hand-over", "--reason", "go-live"]);
    assert_eq!((asked.code, asked.out.as_str()), (4, ""), "{asked:?}");
    assert!(asked.err.contains("for good") && asked.err.contains("workers stop"), "{asked:?}");
    assert_eq!(record(&options).await.0, "managed");
    // A worker in the middle of a pass is waited for; it holds a shared lock on the record.
    let mut worker = open(&options).await;
    worker.execute("SET application_name = 'orderscope/worker'").await.unwrap();
    let mut pass = worker.begin().await.unwrap();
    pass.execute("SELECT kind FROM orderscope.database FOR SHARE").await.unwrap();
    let mut run = home.command();
    run.args(["hand-over", "--yes", "--publisher", "service", "--reason", "go-live"]);
    run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let run = run.spawn().unwrap();
    let mut look = open(&options).await;
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut look).await.unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(record(&options).await.0, "managed");
    pass.commit().await.unwrap();
    let done = run.wait_with_output().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{out}");
    assert!(out.contains("handed over") && out.contains("orderscope/worker"), "{out}");

    assert_eq!(record(&options).await, ("attached".to_owned(), Some("service".to_owned())));
    assert_eq!(catalog::public(&mut open(&options).await).await, before);
    home.refused(&["hand-over", "--yes", "--reason", "x"], 4, &["attached already"]);
    home.refused(&["migrate", "--yes", "--reason", "x"], 4, &["handed over"]);
    let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
    assert_eq!((&list[0]["intent"], &list[0]["reason"]), (&"HandOver".into(), &"go-live".into()));
}

/// Messages of two consumers that were delivered and kept, one half-done, and pending ones of which one goes nowhere.
const WAITING: &str = "
    INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered,
        last_sequence_number)
    SELECT m, c, gen_random_uuid(), now() - interval '3 d', 4, now() - interval '3 d',
        CASE WHEN n < 3 THEN now() - interval '3 d' END, CASE WHEN n < 3 THEN 1000 END
    FROM (SELECT n, ('00000000-0000-4000-8000-00000000000' || n)::uuid AS m,
              '00000000-0000-4000-9000-000000000001'::uuid AS c FROM generate_series(1, 3) n) x;
    INSERT INTO outbox_message (sent_time, inbox_message_id, inbox_consumer_id, message_id, content_type, message_type,
        body, destination_address)
    SELECT now(), message_id, consumer_id, gen_random_uuid(), 'x/y', 'urn:message:A:B', '{}', 'queue:q'
    FROM inbox_state, generate_series(1, 2);
    INSERT INTO outbox_state (outbox_id, lock_id, created)
    SELECT ('00000000-0000-4000-a000-00000000000' || n)::uuid, '00000000-0000-0000-0000-000000000000', now()
    FROM generate_series(1, 2) n;
    INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body, destination_address)
    SELECT now(), outbox_id, gen_random_uuid(), 'x/y', 'urn:message:A:B', '{}',
        CASE WHEN outbox_id = '00000000-0000-4000-a000-000000000001' THEN 'queue:q' END
    FROM outbox_state";

#[tokio::test]
async fn what_the_service_will_find_is_told_before_it_is_handed_over() {
    let options = managed().await;
    let mut conn = open(&options).await;
    conn.execute(WAITING).await.unwrap();
    let home = Home::on(&options);
    let plan = home.json(&["hand-over", "--dry-run"], 0);
    let checks: Vec<_> = plan["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["text"].as_str().unwrap().to_owned())
        .collect();
    for told in [
        "2 messages pending: the service delivers them",
        "of these 1 message without a destination",
        "2 delivered inbox rows with messages that are kept",
        "1 consumer half-done",
    ] {
        assert!(checks.iter().any(|check| check.contains(told)), "{told}: {checks:#?}");
    }
    // What stopped the clean-up goes, before or after, with copies; what was not sent stays.
    let over = ["hand-over", "--yes", "--reason", "INC-7", "--publisher", "service"];
    let done = home.run(&over);
    assert_eq!(done.code, 0, "{done:?}");
    let clean_up = "DELETE FROM inbox_state WHERE delivered < now() - interval '30 min'";
    let refused = conn.execute(clean_up).await.unwrap_err().to_string();
    assert!(refused.contains("foreign key"), "{refused}");
    let purge = ["messages", "purge-consumed", "--yes", "--reason", "INC-7", "--operator", "mai"];
    let done = home.json(&purge, 0);
    assert_eq!((&done["items"][0]["done"], &done["partly"]), (&2.into(), &false.into()), "{done}");
    let count = async |conn: &mut PgConnection, sql: &'static str| -> i64 {
        sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
    };
    let copies = "SELECT count(*) FROM orderscope.kept_messages WHERE cause = 'purged'";
    assert_eq!(count(&mut conn, copies).await, 4);
    assert_eq!(count(&mut conn, "SELECT count(*) FROM outbox_message").await, 4);
    conn.execute(clean_up).await.unwrap();
    assert_eq!(count(&mut conn, "SELECT count(*) FROM inbox_state").await, 1);
    home.refused(&purge, 1, &["nothing"]);
}
