//! The audit log: append-only, chained, verifiable after anything that may happen to it.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use orderscope::{
    db::{self, Db, Limits},
    ops::{
        audit::{
            self, Chain, Entry, Filter, Reveal, RevealRecord, Trail, Verified, anchor_if_due,
            revealed, verify,
        },
        operator::Operator,
    },
    workers::anchors,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    clock,
    fixture::{self, Schema},
    postgres::{managed, pg15, pg18},
};

/// With more digits than PostgreSQL keeps.
const NOW: i64 = 1_795_385_000_123_456_789;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(NOW)
}

fn operator(name: &str) -> Operator {
    Operator { name: name.to_owned(), host: "ea-1".to_owned(), role: "support".to_owned() }
}

fn database(options: &PgConnectOptions) -> Db {
    Db::new(options, &Limits::default())
}

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

/// An entry about an order, with values that PostgreSQL's own JSON would refuse or reorder.
async fn add(conn: &mut PgConnection, chain: &Chain, order: u128) -> Result<i64, db::Error> {
    let mut tx = conn.begin().await?;
    let before = json!({ "Status": "New", "b": 1, "a": 12.50, "note": "a\u{0}b" });
    let after = json!({ "Status": "Cancelled", "name": "Trần Thị Mai" });
    let entry = Entry {
        id: Uuid::from_u128(order),
        at: now() + TimeDelta::milliseconds(i64::try_from(order).unwrap()),
        intent: "CancelOrder",
        targets: vec![Uuid::from_u128(order).to_string()],
        reason: Some("khách đổi ý"),
        before: &before,
        after: &after,
    };
    let number = chain.record(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(number)
}

async fn check(db: &Db) -> Verified {
    verify(db, &CancellationToken::new()).await.unwrap()
}

/// A database with three chains of four entries each, and the numbers of the entries.
async fn filled() -> (PgConnectOptions, Db, Vec<i64>) {
    let options = managed().await;
    let mut conn = open(&options).await;
    let mut numbers = vec![];
    for writer in 0..3 {
        let chain = Chain::open(&operator("mai"));
        for entry in 0..4 {
            numbers.push(add(&mut conn, &chain, writer * 10 + entry).await.unwrap());
        }
    }
    let db = database(&options);
    (options, db, numbers)
}

#[tokio::test]
async fn what_was_recorded_comes_back_and_verifies() {
    for options in [managed().await, {
        let options = pg15().empty().await;
        db::migrate::migrate(&mut open(&options).await).await.unwrap();
        options
    }] {
        let mut conn = open(&options).await;
        let chain = Chain::open(&operator("mai"));
        let first = add(&mut conn, &chain, 7).await.unwrap();
        let second = add(&mut conn, &chain, 8).await.unwrap();
        assert!(second > first);
        let db = database(&options);
        let stop = CancellationToken::new();
        let found = audit::by_operation(&db, Uuid::from_u128(7), &stop).await.unwrap().unwrap();
        assert_eq!(found.number, first);
        assert_eq!(
            (
                found.operator.as_str(),
                found.host.as_str(),
                found.role.as_str(),
                found.login.as_str()
            ),
            ("mai", "ea-1", "support", "postgres")
        );
        assert_eq!(found.at.timestamp_nanos_opt().unwrap() % 1_000, 0, "cut to the microsecond");
        assert_eq!(found.reason.as_deref(), Some("khách đổi ý"));
        assert_eq!(found.before.unwrap()["note"], "a\u{0}b");
        assert!(!found.erased);
        assert_eq!(audit::by_operation(&db, Uuid::from_u128(9), &stop).await.unwrap(), None);
        let found = check(&db).await;
        assert!(found.is_sound(), "{found:?}");
        assert_eq!((found.chains, found.entries, found.erased), (1, 2, 0));
    }
}

#[tokio::test]
async fn an_open_console_anchors_what_moved_and_only_where_it_may() {
    let (options, db, _) = filled().await;
    let (stop, dir) = (CancellationToken::new(), tempfile::tempdir().unwrap());
    let anchors = async |sql: &'static str| -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut open(&options).await).await.unwrap()
    };
    anchors::pass(&db, Some(&clock()), dir.path(), &stop).await.unwrap();
    anchors::pass(&db, Some(&clock()), dir.path(), &stop).await.unwrap();
    assert_eq!(anchors("SELECT count(*) FROM orderscope.audit_anchors").await, 1, "one an hour");
    // Where there is no log, or it is not for this login, there is nothing to do and nothing wrong.
    let empty = database(&pg18().empty().await);
    anchors::pass(&empty, Some(&clock()), dir.path(), &stop).await.unwrap();
    stop.cancel();
    anchors::run(&db, Some(&clock()), dir.path(), &stop, &|_| ()).await;
}

#[tokio::test]
async fn nobody_changes_what_was_written() {
    let (options, db, _) = filled().await;
    anchor_if_due(&db, now(), Duration::ZERO).await.unwrap().unwrap();
    let mut conn = open(&options).await;
    let refused = async |conn: &mut PgConnection, sql: &'static str| {
        let error = conn.execute(sql).await.unwrap_err().to_string();
        assert!(error.contains("is append-only"), "{sql}: {error}");
    };
    for role in ["", "SET session_replication_role = replica"] {
        conn.execute(role).await.unwrap();
        for sql in [
            "UPDATE orderscope.audit SET operator = 'x'",
            "UPDATE orderscope.audit SET operator = 'x' WHERE false",
            "DELETE FROM orderscope.audit",
            "TRUNCATE orderscope.audit CASCADE",
            "UPDATE orderscope.audit_values SET value = 'x'",
            "DELETE FROM orderscope.audit_chains",
            "TRUNCATE orderscope.audit_chains CASCADE",
            "UPDATE orderscope.audit_anchors SET at = now()",
            "DELETE FROM orderscope.audit_anchors",
            "TRUNCATE orderscope.audit_anchors CASCADE",
            "UPDATE orderscope.audit_anchor_heads SET position = 1",
            "DELETE FROM orderscope.audit_anchor_heads",
            "TRUNCATE orderscope.audit_anchor_heads",
        ] {
            refused(&mut conn, sql).await;
        }
    }
    assert!(check(&db).await.is_sound());
}

#[tokio::test]
async fn tampering_is_found_at_its_number() {
    let (options, db, numbers) = filled().await;
    anchor_if_due(&db, now(), Duration::ZERO).await.unwrap().unwrap();
    let template = options.get_database().unwrap().to_owned();
    db.close().await;
    // The third entry of the second chain, and the last of it.
    let (third, fourth) = (numbers[6], numbers[7]);
    let chain = "(SELECT chain FROM orderscope.audit WHERE number = NUMBER)";
    for (what, number, sql) in [
        ("operator", Some(third), "UPDATE orderscope.audit SET operator = 'tam' WHERE number = NUMBER"),
        ("host", Some(third), "UPDATE orderscope.audit SET host = 'x' WHERE number = NUMBER"),
        ("login", Some(third), "UPDATE orderscope.audit SET login = 'x' WHERE number = NUMBER"),
        (
            "one microsecond",
            Some(third),
            "UPDATE orderscope.audit SET at = at + interval '1 microsecond' WHERE number = NUMBER",
        ),
        ("intent", Some(third), "UPDATE orderscope.audit SET intent = 'x' WHERE number = NUMBER"),
        ("targets", Some(third), "UPDATE orderscope.audit SET targets = '{}' WHERE number = NUMBER"),
        (
            "operation",
            Some(third),
            "UPDATE orderscope.audit SET operation = gen_random_uuid() WHERE number = NUMBER",
        ),
        (
            "a digest taken away",
            Some(third),
            "DELETE FROM orderscope.audit_values WHERE number = NUMBER AND part = 'reason';
             UPDATE orderscope.audit SET reason_digest = NULL WHERE number = NUMBER",
        ),
        (
            "a value",
            Some(third),
            "UPDATE orderscope.audit_values SET value = 'x' WHERE number = NUMBER AND part = 'reason'",
        ),
        (
            "one removed in the middle",
            Some(fourth),
            "DELETE FROM orderscope.audit_values WHERE number = NUMBER;
             DELETE FROM orderscope.audit WHERE number = NUMBER",
        ),
        (
            "the head's hash",
            Some(fourth),
            "UPDATE orderscope.audit_chains SET hash = decode(repeat('01', 32), 'hex') WHERE chain = CHAIN",
        ),
        (
            "the head set back",
            None,
            "UPDATE orderscope.audit_chains c SET position = 3, hash = a.hash FROM orderscope.audit a
             WHERE a.number = NUMBER AND c.chain = a.chain",
        ),
        (
            "the end cut off, with its head",
            None,
            "DELETE FROM orderscope.audit_values WHERE number > NUMBER;
             UPDATE orderscope.audit_chains c SET position = 3, hash = a.hash FROM orderscope.audit a
             WHERE a.number = NUMBER AND c.chain = a.chain;
             DELETE FROM orderscope.audit WHERE chain = CHAIN AND position = 4",
        ),
        (
            "a whole chain",
            None,
            "DELETE FROM orderscope.audit_values v USING orderscope.audit a
             WHERE a.number = v.number AND a.chain = CHAIN;
             CREATE TEMP TABLE gone AS SELECT CHAIN AS chain;
             DELETE FROM orderscope.audit USING gone WHERE audit.chain = gone.chain;
             DELETE FROM orderscope.audit_chains USING gone WHERE audit_chains.chain = gone.chain",
        ),
        ("an anchor's time", None, "UPDATE orderscope.audit_anchors SET at = at + interval '1 h'"),
        (
            "a head of an anchor",
            None,
            "DELETE FROM orderscope.audit_anchor_heads WHERE chain = CHAIN",
        ),
        (
            "an anchor",
            None,
            "DELETE FROM orderscope.audit_anchor_heads; UPDATE orderscope.audit_anchors SET number = 2",
        ),
    ] {
        let options = pg18().create(&template).await;
        let mut conn = open(&options).await;
        for table in ["audit", "audit_values", "audit_chains", "audit_anchors", "audit_anchor_heads"] {
            let sql = format!("ALTER TABLE orderscope.{table} DISABLE TRIGGER USER");
            conn.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        let sql = sql.replace("CHAIN", chain).replace("NUMBER", &third.to_string());
        conn.execute(AssertSqlSafe(sql)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = check(&database(&options)).await;
        assert!(!found.is_sound(), "{what} was not found");
        assert_eq!(found.breaks[0].number, number, "{what}: {:?}", found.breaks);
    }
}

#[tokio::test]
async fn many_writers_do_not_disturb_each_other() {
    let options = managed().await;
    let shared = Chain::open(&operator("shared"));
    let writers = (0..8_u128).map(|writer| {
        let options = options.clone();
        // The last two write one chain from two sessions.
        let chain = if writer < 6 { Chain::open(&operator("own")) } else { shared.clone() };
        tokio::spawn(async move {
            let mut conn = open(&options).await;
            for entry in 0..12 {
                add(&mut conn, &chain, writer * 100 + entry).await.unwrap();
            }
        })
    });
    let db = database(&options);
    let mut done = futures::future::join_all(writers.collect::<Vec<_>>());
    // Verifying and anchoring go on meanwhile.
    let end = loop {
        tokio::select! {
            biased;
            end = &mut done => break end,
            found = check(&db) => assert!(found.is_sound(), "{found:?}"),
        }
        anchor_if_due(&db, now(), Duration::ZERO).await.unwrap();
    };
    assert!(end.iter().all(Result::is_ok), "{end:?}");
    anchor_if_due(&db, now() + TimeDelta::hours(2), Duration::ZERO).await.unwrap();
    let found = check(&db).await;
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.chains, found.entries), (7, 96));
    assert!(found.anchors >= 1 && found.newest_anchor.is_some());
}

#[tokio::test]
async fn a_rollback_leaves_the_chain_as_it_was() {
    let options = managed().await;
    let mut conn = open(&options).await;
    let chain = Chain::open(&operator("mai"));
    let entry = |id: u128| Entry {
        id: Uuid::from_u128(id),
        at: now(),
        intent: "CompleteOrder",
        targets: vec![],
        reason: None,
        before: &Value::Null,
        after: &Value::Null,
    };
    // Before the chain's first entry, and after it.
    for round in 0..2 {
        let mut tx = conn.begin().await.unwrap();
        chain.record(&mut tx, &entry(1)).await.unwrap();
        chain.record(&mut tx, &entry(2)).await.unwrap();
        tx.rollback().await.unwrap();
        add(&mut conn, &chain, 10 + round).await.unwrap();
    }
    // Two in one transaction follow each other.
    let mut tx = conn.begin().await.unwrap();
    chain.record(&mut tx, &entry(1)).await.unwrap();
    chain.record(&mut tx, &entry(2)).await.unwrap();
    tx.commit().await.unwrap();
    let found = check(&database(&options)).await;
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.chains, found.entries), (1, 4));
}

#[tokio::test]
async fn one_operation_is_recorded_once() {
    let (options, db, _) = filled().await;
    let mut conn = open(&options).await;
    let other = Chain::open(&operator("tam"));
    let again = add(&mut conn, &other, 1).await;
    assert!(matches!(again, Err(db::Error::Duplicate { .. })), "{again:?}");
    assert!(check(&db).await.is_sound());
}

#[tokio::test]
async fn erasing_values_leaves_every_chain_verifiable() {
    let (options, db, numbers) = filled().await;
    anchor_if_due(&db, now(), Duration::ZERO).await.unwrap().unwrap();
    let mut conn = open(&options).await;
    let target = Uuid::from_u128(12).to_string();
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(audit::erase(&mut tx, &target).await.unwrap(), 3);
    tx.commit().await.unwrap();
    let found = check(&db).await;
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.entries, found.erased), (12, 3));
    let stop = CancellationToken::new();
    let filter = Filter { target: Some(target), ..Filter::default() };
    let list = audit::list(&db, &filter, 10, &stop).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].number, list[0].erased), (numbers[6], true));
    assert_eq!((&list[0].reason, &list[0].before, &list[0].after), (&None, &None, &None));
    // Neither value nor salt is anywhere in the schema.
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM orderscope.audit_values WHERE number = $1")
            .bind(numbers[6])
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_log_is_read_by_order_operator_and_time() {
    let (_, db, numbers) = filled().await;
    let stop = CancellationToken::new();
    let list = async |filter: Filter, limit| {
        let found = audit::list(&db, &filter, limit, &stop).await.unwrap();
        found.iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    let newest: Vec<_> = numbers.iter().rev().copied().collect();
    assert_eq!(list(Filter::default(), 100).await, newest);
    assert_eq!(
        list(Filter { before: Some(numbers[4]), ..Filter::default() }, 2).await,
        [numbers[3], numbers[2]]
    );
    let by = |name: &str| Filter { by: Some(name.to_owned()), ..Filter::default() };
    assert_eq!(list(by("mai"), 100).await.len(), 12);
    assert!(list(by("tam"), 100).await.is_empty());
    let since = Some(now() + TimeDelta::milliseconds(20));
    assert_eq!(list(Filter { since, ..Filter::default() }, 100).await.len(), 4);
}

#[tokio::test]
async fn anchors_are_made_when_they_are_due() {
    let (options, db, _) = filled().await;
    let hour = Duration::from_hours(1);
    let first = anchor_if_due(&db, now(), hour).await.unwrap().unwrap();
    let later = |minutes| now() + TimeDelta::minutes(minutes);
    assert_eq!(anchor_if_due(&db, later(59), hour).await.unwrap(), None, "not due");
    assert_eq!(anchor_if_due(&db, later(60), hour).await.unwrap(), None, "nothing moved");
    add(&mut open(&options).await, &Chain::open(&operator("tam")), 99).await.unwrap();
    let second = anchor_if_due(&db, later(60), hour).await.unwrap().unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(second.previous, first.hash);
    let found = check(&db).await;
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.newest_anchor, Some((2, second.hash)));
}

#[tokio::test]
async fn the_record_session_writes_into_its_schema_and_nowhere_else() {
    let options = managed().await;
    let db = database(&options);
    let buyer = "INSERT INTO public.buyers (id, name) VALUES (uuidv7(), 'x')";
    for sql in [
        buyer,
        "UPDATE public.orders SET status = 1",
        "DELETE FROM public.outbox_message",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "SELECT nextval('public.mt_events_sequence')",
        "LOCK TABLE public.orders",
    ] {
        let done = db
            .record("test", async |tx| {
                tx.execute(sql).await?;
                Ok(())
            })
            .await;
        let told = done.unwrap_err().to_string();
        assert!(told.contains("only into schema orderscope"), "{sql}: {told}");
    }
    let count = async || -> i64 {
        let rows = sqlx::query_scalar("SELECT count(*) FROM public.buyers");
        rows.fetch_one(&mut open(&options).await).await.unwrap()
    };
    assert_eq!(count().await, 0);
    // What fails takes back what it wrote into the schema, too.
    let chain = Chain::open(&operator("mai"));
    let value = json!({ "long": "ơ".repeat(60_000) });
    let entry = |id: u128| Entry {
        id: Uuid::from_u128(id),
        at: now(),
        intent: "CreateBuyer",
        targets: vec![],
        reason: None,
        before: &Value::Null,
        after: &value,
    };
    let done = db
        .record("test", async |tx| {
            chain.record(tx, &entry(1)).await?;
            tx.execute(buyer).await?;
            Ok(())
        })
        .await;
    assert!(done.is_err());
    assert_eq!((check(&db).await.entries, count().await), (0, 0));
    // Values long enough to be stored apart are still inside the schema.
    db.record("test", async |tx| chain.record(tx, &entry(2)).await).await.unwrap();
    let found = check(&db).await;
    assert!(found.is_sound() && found.entries == 1, "{found:?}");
    // Outside its own transactions that session cannot write at all, and reads never can.
    let read = db
        .read("test", &CancellationToken::new(), async |conn| {
            conn.execute(buyer).await?;
            Ok(())
        })
        .await;
    assert!(matches!(read, Err(db::Error::ReadOnly(_))), "{read:?}");
}

/// The statements that docs/audit.md gives, for a role of this name.
fn grants(role: &str) -> String {
    let text = include_str!("../../docs/audit.md");
    let block = text.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(block.contains("TO support;"));
    block.replace("TO support;", &format!("TO {role};"))
}

#[tokio::test]
async fn public_has_no_rights_and_the_documented_ones_are_enough() {
    let (options, _, _) = filled().await;
    let mut conn = open(&options).await;
    let role = format!("clerk_{}", options.get_database().unwrap());
    conn.execute(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN"))).await.unwrap();
    let theirs = options.clone().username(&role);
    let trail = |db: &Db| {
        Trail::new(db, &operator("clerk"), std::path::PathBuf::from("/nonexistent/reads.jsonl"))
    };
    let reveal =
        Reveal { at: now(), targets: vec!["buyer x".to_owned()], reason: "CB-91".to_owned() };
    let db = database(&theirs);
    let denied = audit::list(&db, &Filter::default(), 1, &CancellationToken::new()).await;
    assert!(matches!(denied, Err(db::Error::NotPermitted(_))), "{denied:?}");
    let denied = revealed(&trail(&db), &reveal).await.unwrap_err().to_string();
    assert!(denied.contains("docs/audit.md"), "{denied}");

    conn.execute(AssertSqlSafe(grants(&role))).await.unwrap();
    let kept = revealed(&trail(&db), &reveal).await.unwrap();
    assert!(matches!(kept, RevealRecord::Audit(_)), "{kept:?}");
    anchor_if_due(&db, now(), Duration::ZERO).await.unwrap().unwrap();
    let found = check(&db).await;
    assert!(found.is_sound() && found.entries == 13, "{found:?}");
    let mut theirs = open(&theirs).await;
    for sql in [
        "UPDATE orderscope.audit SET operator = 'x'",
        "DELETE FROM orderscope.audit_values",
        "UPDATE orderscope.audit_chains SET operator = 'x'",
        "ALTER TABLE orderscope.audit DISABLE TRIGGER append_only",
    ] {
        let error = theirs.execute(sql).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{sql}: {error}");
    }
    let login: Vec<String> = sqlx::query_scalar("SELECT DISTINCT login FROM orderscope.audit")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert_eq!(
        login.into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(["postgres".to_owned(), role.clone()])
    );
    theirs.close().await.unwrap();
    db.close().await;
    for sql in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

#[tokio::test]
async fn without_the_schema_reads_are_recorded_on_this_machine() {
    let options = fixture::stage(pg18(), Schema::Marten9, "1-backlog").await;
    let db = database(&options);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/reads.jsonl");
    let trail = Trail::new(&db, &operator("mai"), path.clone());
    let reveal = |reason: &str| Reveal {
        at: now(),
        targets: vec!["order x".to_owned()],
        reason: reason.to_owned(),
    };
    let refused = revealed(&trail, &reveal("  ")).await.unwrap_err().to_string();
    assert!(refused.contains("say why"), "{refused}");
    assert_eq!(
        revealed(&trail, &reveal("CB-91")).await.unwrap(),
        RevealRecord::Local(path.clone())
    );
    let lines = trail.local().lines();
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["operator"], &lines[0]["reason"]), (&json!("mai"), &json!("CB-91")));
    assert_eq!(lines[0]["at"], "2026-11-22T22:03:20.123456Z");
    let schema: Option<String> = sqlx::query_scalar("SELECT to_regnamespace('orderscope')::text")
        .fetch_one(&mut open(&options).await)
        .await
        .unwrap();
    assert_eq!(schema, None, "nothing was made in the service's database");
    // Nothing can be kept: nothing is revealed.
    let trail = Trail::new(&db, &operator("mai"), path.join("below-a-file"));
    assert!(revealed(&trail, &reveal("CB-91")).await.is_err());
}
