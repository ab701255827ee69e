//! `db upgrade` of a database that has everything: orders, messages, audit log, anchors, copies, history, bulk operations.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::{pty::terminal::block_on, support::postgres::binaries, verbs::Home};

const BY: [&str; 5] = ["--operator", "mai", "--reason", "CB-91", "--yes"];

/// A hash of every row of every table, by table, without what the upgrade itself records.
async fn prints(conn: &mut PgConnection) -> BTreeMap<String, Option<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class
         WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'orderscope')",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut prints = BTreeMap::new();
    for table in tables {
        let rows = format!(
            "SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM {table} t
             WHERE NOT EXISTS (SELECT FROM orderscope.audit a WHERE a.intent = 'UpgradePrivate'
                 AND (to_jsonb(t) ->> 'number' = a.number::text AND '{table}' ~ 'audit'
                      OR to_jsonb(t) ->> 'chain' = a.chain::text))"
        );
        let print = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut *conn).await.unwrap();
        prints.insert(table, print);
    }
    prints
}

fn in_database<T>(home: &Home, work: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
    let url = home.run(&["db", "start"]).out.lines().last().unwrap().to_owned();
    let done = block_on(async {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        work(&mut conn).await
    });
    assert_eq!(home.run(&["db", "stop"]).code, 0);
    done
}

/// What an operator leaves in a database in a month.
fn lived_in(home: &Home) {
    let done = |words: &[&str]| {
        let done = home.run(&[words, &BY].concat());
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        done.out
    };
    let buyer = home.json(&[&["buyer", "create", "--name", "Lê Thị"][..], &BY].concat(), 0);
    let buyer = buyer["target"].as_str().unwrap();
    let line = format!("{}:2:14.20", Uuid::from_u128(1));
    let order = ["order", "create", "--buyer", buyer, "--line", &line];
    let order = home.json(&[&order[..], &BY].concat(), 0);
    done(&["order", "complete", order["target"].as_str().unwrap()]);
    let (number, outbox): (String, String) = in_database(home, async |conn| {
        let newest = "SELECT max(sequence_number)::text, (SELECT outbox_id::text FROM outbox_state
                          WHERE delivered IS NULL ORDER BY created LIMIT 1) FROM outbox_message";
        sqlx::query_as(newest).fetch_one(conn).await.unwrap()
    });
    done(&["messages", "quarantine", &number]);
    done(&["messages", "hold", &outbox]);
    done(&["demo", "scenario", "duplicates"]);
    done(&["inbox", "purge", "--older-than", "1"]);
    in_database(home, async |conn| {
        conn.execute(
            "INSERT INTO orderscope.samples SELECT 60, now() - n * interval '1 min', 1, now(), n, n, now(), 0, 0, 0, n, 0,
                 0, 60000, NULL, 0, 0 FROM generate_series(1, 50) n;
             INSERT INTO orderscope.seen_messages SELECT gen_random_uuid(), gen_random_uuid(), now(), now(), 1
                 FROM generate_series(1, 50)",
        )
        .await
        .unwrap();
    });
}

#[test]
fn everything_arrives_verified_and_the_move_is_on_record() {
    let mut home = Home::new();
    home.variables.push(("ORDERSCOPE_PG_BIN", binaries(15).display().to_string()));
    lived_in(&home);
    let before = in_database(&home, async |conn| {
        let empty = "SELECT count(*) FROM orderscope.audit_anchors";
        assert!(sqlx::query_scalar::<_, i64>(empty).fetch_one(&mut *conn).await.unwrap() > 0);
        prints(conn).await
    });
    for table in ["audit", "audit_anchors", "kept_messages", "samples", "operation_batches"] {
        assert!(before[&format!("orderscope.{table}")].is_some(), "{table} is empty");
    }
    // Newer programs are among those installed.
    let path = format!("{}:{}", binaries(18).display(), std::env::var("PATH").unwrap());
    home.variables.push(("PATH", path));
    // Killed while rows are copied, the old one is whole.
    let mut child = home.command().args(["db", "upgrade", "--yes"]).spawn().unwrap();
    let said = || std::fs::read_to_string(home.dir.path().join("private/doing"));
    while !said().is_ok_and(|said| said.starts_with("copying ")) {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = in_database(&home, async |conn| prints(conn).await);
    assert_eq!(killed, before);
    let asked = home.run(&["db", "upgrade"]);
    assert!(asked.code == 4 && asked.err.contains("from PostgreSQL 15"), "{asked:?}");
    let done = home.run(&[&["db", "upgrade"][..], &BY].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.starts_with("moved from PostgreSQL 15 to 18: "), "{done:?}");
    let after = in_database(&home, async |conn| prints(conn).await);
    for (table, print) in &before {
        assert_eq!(after[table], *print, "{table}");
    }
    assert_eq!(home.json(&["db", "status"], 1)[0]["major"], 18);
    let verified = home.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let list = home.json(&["audit", "list"], 0);
    assert_eq!(
        (&list[0]["intent"], &list[0]["operator"]),
        (&"UpgradePrivate".into(), &"mai".into())
    );
    // It is still append-only, and numbers go on.
    in_database(&home, async |conn| {
        conn.execute("DELETE FROM orderscope.audit").await.unwrap_err();
    });
    home.json(&[&["buyer", "create", "--name", "Mai"][..], &BY].concat(), 0);
}
