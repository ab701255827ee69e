//! `db upgrade`: everything arrives, or nothing happened.

use std::fs;

use orderscope::embedded::{self, Config, Error, Prepared, Progress, State};
use sqlx::{Executor, PgConnection};

use super::{Home, number, run, silent, text};
use crate::support::postgres::binaries;

/// Stands for the migrations: repeatable, with everything the copy has to mind.
fn prepare(conn: &mut PgConnection) -> Prepared<'_> {
    Box::pin(async move {
        conn.execute(
            r#"
            CREATE SCHEMA IF NOT EXISTS "odd "" schema";
            CREATE TABLE IF NOT EXISTS parent (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                "Name" text NOT NULL, twice text GENERATED ALWAYS AS ("Name" || "Name") STORED);
            CREATE TABLE IF NOT EXISTS child (
                id uuid PRIMARY KEY, parent_id bigint NOT NULL REFERENCES parent,
                next uuid REFERENCES child, body jsonb, price numeric(12, 2), at timestamptz,
                data bytea, deep double precision);
            CREATE TABLE IF NOT EXISTS "odd "" schema".logs (at date, text text) PARTITION BY RANGE (at);
            CREATE TABLE IF NOT EXISTS "odd "" schema".logs_all
                PARTITION OF "odd "" schema".logs FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
            CREATE TABLE IF NOT EXISTS seeded (id int PRIMARY KEY, text text);
            INSERT INTO seeded VALUES (1, 'by the migration') ON CONFLICT DO NOTHING;
            CREATE TABLE IF NOT EXISTS nothing ();
            CREATE SEQUENCE IF NOT EXISTS numbers;
            CREATE MATERIALIZED VIEW IF NOT EXISTS totals AS SELECT count(*) AS n FROM child;
            "#,
        )
        .await?;
        Ok(())
    })
}

fn failing(_: &mut PgConnection) -> Prepared<'_> {
    Box::pin(async { Err("no such migration".into()) })
}

const FILL: &str = r#"
    INSERT INTO parent ("Name") SELECT E'tab\t newline\n back\\slash \\. đỗ ' || n FROM generate_series(1, 5000) n;
    DELETE FROM parent WHERE id > 4990;
    INSERT INTO child SELECT gen_random_uuid(), id, NULL, jsonb_build_object('k', "Name", 'n', NULL),
        id / 7.0, now() - id * interval '1 s', decode('00ff5c', 'hex'), 0.1::float8 + id FROM parent;
    UPDATE child SET next = (SELECT id FROM child ORDER BY id DESC LIMIT 1);
    INSERT INTO "odd "" schema".logs SELECT date '2024-01-01' + n, NULL FROM generate_series(1, 10) n;
    UPDATE seeded SET text = 'by the user';
    INSERT INTO nothing DEFAULT VALUES;
    SELECT nextval('numbers') FROM generate_series(1, 77);
    REFRESH MATERIALIZED VIEW totals;
"#;

/// Everything, in a form two versions print alike.
const PRINT: &str = r#"
    SELECT md5(concat_ws('|',
        (SELECT string_agg(p::text, ';' ORDER BY id) FROM parent p),
        (SELECT string_agg(c::text, ';' ORDER BY id) FROM child c),
        (SELECT string_agg(l::text, ';' ORDER BY at) FROM "odd "" schema".logs l),
        (SELECT string_agg(s::text, ';') FROM seeded s), (SELECT count(*) FROM nothing),
        (SELECT n FROM totals), (SELECT last_value || is_called::text FROM numbers)))
"#;

const VERSION: &str = "SELECT current_setting('server_version_num')::bigint / 10000";

async fn filled() -> (Home, String) {
    let home = Home::made(15).await;
    let lease = home.join().await;
    prepare(&mut super::connect(&lease).await).await.unwrap();
    run(&lease, FILL).await;
    let print = text(&lease, PRINT).await;
    lease.leave().await.unwrap();
    (home, print)
}

fn with_both(home: &Home) -> Config {
    Config { binaries: Some(binaries(15)), installed: vec![binaries(18)], ..home.config.clone() }
}

#[tokio::test]
async fn carries_everything_from_15_to_18() {
    let (home, print) = filled().await;
    let config = with_both(&home);
    let heard = std::sync::Mutex::new(Vec::new());
    let report = |progress| heard.lock().unwrap().push(progress);
    let upgraded = embedded::upgrade(&config, &prepare, &report).await.unwrap();
    assert_eq!((upgraded.from, upgraded.to, upgraded.tables), (15, 18, 5));
    assert_eq!(upgraded.rows, 4990 * 2 + 10 + 1 + 1);
    assert!(upgraded.roles.is_empty());
    let copied =
        heard.lock().unwrap().iter().filter(|p| matches!(p, Progress::Copying { .. })).count();
    assert_eq!(copied, 5);
    assert_eq!(home.state().await, State::Stopped);

    let lease = embedded::join(&config, &silent).await.unwrap();
    assert_eq!(number(&lease, VERSION).await, 18);
    assert_eq!(text(&lease, PRINT).await, print);
    // Numbers go on where they were, constraints hold again.
    let next = "INSERT INTO parent (\"Name\") VALUES ('new') RETURNING id";
    assert_eq!(number(&lease, next).await, 5001);
    assert_eq!(number(&lease, "SELECT nextval('numbers')").await, 78);
    let orphan = "INSERT INTO child (id, parent_id) VALUES (gen_random_uuid(), -1)";
    super::connect(&lease).await.execute(orphan).await.unwrap_err();
    lease.leave().await.unwrap();
    let names: Vec<_> =
        home.config.home.read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(
        !names.iter().any(|n| ["upgraded", "before-upgrade"].map(Into::into).contains(n)),
        "{names:?}"
    );

    // Nothing newer exists: nothing happens.
    let again = embedded::upgrade(&config, &prepare, &silent).await.unwrap();
    assert_eq!((again.from, again.to), (18, 18));
}

#[tokio::test]
async fn what_would_be_lost_stops_it() {
    let (home, print) = filled().await;
    let config = with_both(&home);
    let lease = embedded::join(&config, &silent).await.unwrap();
    run(&lease, "CREATE TABLE mine (n int); CREATE ROLE helper").await;
    let refused = embedded::upgrade(&config, &prepare, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::InUse), "{refused}");
    lease.leave().await.unwrap();
    let refused = embedded::upgrade(&config, &prepare, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::Upgrade { .. }), "{refused}");
    assert!(refused.to_string().contains("table public.mine"), "{refused}");
    let refused = embedded::upgrade(&config, &failing, &silent).await.unwrap_err();
    assert!(refused.to_string().contains("no such migration"), "{refused}");

    let lease = embedded::join(&config, &silent).await.unwrap();
    assert_eq!((number(&lease, VERSION).await, text(&lease, PRINT).await), (15, print.clone()));
    run(&lease, "DROP TABLE mine").await;
    lease.leave().await.unwrap();
    let upgraded = embedded::upgrade(&config, &prepare, &silent).await.unwrap();
    assert_eq!((upgraded.to, upgraded.roles.as_slice()), (18, ["helper".to_owned()].as_slice()));
}

#[tokio::test]
async fn given_up_in_the_middle_the_old_one_is_whole() {
    let (home, print) = filled().await;
    let config = with_both(&home);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let report = move |progress| {
        if matches!(progress, Progress::Copying { number: 2, .. }) {
            let _ = tell.send(());
        }
    };
    tokio::select! {
        done = embedded::upgrade(&config, &prepare, &report) => panic!("too fast: {done:?}"),
        Some(()) = told.recv() => {}
    }
    let lease = embedded::join(&config, &silent).await.unwrap();
    assert_eq!((number(&lease, VERSION).await, text(&lease, PRINT).await), (15, print));
    lease.leave().await.unwrap();
    assert_eq!(embedded::upgrade(&config, &prepare, &silent).await.unwrap().to, 18);
}

#[tokio::test]
async fn a_swap_cut_by_a_power_loss_is_finished_or_undone() {
    let (old, new) = (Home::made(15).await, Home::made(18).await);
    let config = with_both(&old);
    let at = |name: &str| old.config.home.join(name);
    // Complete, but not yet in place: the old one counts.
    fs::rename(new.cluster(), at("upgraded")).unwrap();
    let lease = embedded::join(&config, &silent).await.unwrap();
    assert_eq!(number(&lease, VERSION).await, 15);
    lease.leave().await.unwrap();
    assert!(!at("upgraded").exists());
    // Cut between the two renames: the new one takes the place.
    let new = Home::made(18).await;
    fs::rename(new.cluster(), at("upgraded")).unwrap();
    fs::rename(at("cluster"), at("before-upgrade")).unwrap();
    let lease = embedded::join(&config, &silent).await.unwrap();
    assert_eq!(number(&lease, VERSION).await, 18);
    lease.leave().await.unwrap();
    assert!(!at("before-upgrade").exists());
}
