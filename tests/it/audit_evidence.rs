//! What `audit` tells: entries that vanished without a trace in the database, outcomes, and reasons under a mask.

use orderscope::db::Db;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{support::postgres::managed, verbs::Home};

const BY: [&str; 5] = ["--operator", "mai", "--reason", "gọi lại Lan", "--yes"];

async fn sql(options: &PgConnectOptions, text: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

fn buyer(home: &Home) -> i64 {
    let done = home.json(&[&["buyer", "create", "--name", "Lê Thị"][..], &BY].concat(), 0);
    done["audit"].as_i64().unwrap()
}

/// As somebody would do it who may change everything: no trigger fires, and no chain and no anchor knows.
async fn vanish(options: &PgConnectOptions, number: i64) {
    let gone = format!(
        "ALTER TABLE orderscope.audit DISABLE TRIGGER ALL; ALTER TABLE orderscope.audit_values DISABLE TRIGGER ALL;
         ALTER TABLE orderscope.audit_chains DISABLE TRIGGER ALL;
         DELETE FROM orderscope.audit_values WHERE number = {number};
         CREATE TEMP TABLE gone AS SELECT chain FROM orderscope.audit WHERE number = {number};
         DELETE FROM orderscope.audit WHERE number = {number};
         DELETE FROM orderscope.audit_chains WHERE chain IN (SELECT chain FROM gone)"
    );
    sql(options, &gone).await;
}

#[tokio::test]
async fn a_writer_that_vanished_as_a_whole_is_found() {
    // Between others, and as the newest of all.
    for at in [1, 2] {
        let options = managed().await;
        let home = Home::on(&options);
        let numbers = [buyer(&home), buyer(&home), buyer(&home)];
        assert_eq!(home.json(&["audit", "verify"], 0)["missing"], Value::Array(vec![]));
        let gone = numbers[at];
        vanish(&options, gone).await;
        // Any machine sees that a number is missing; the one that saw it knows that it was removed.
        let elsewhere = Home::on(&options).json(&["audit", "verify"], 5);
        assert_eq!(elsewhere["sound"], true);
        assert_eq!(elsewhere["missing"], serde_json::json!([[gone, gone]]));
        let found = home.run(&["audit", "verify"]);
        assert_eq!(found.code, 1, "{found:?}");
        for told in [
            "BROKEN: this machine saw 3 entries up to number 3, now there are 2",
            &format!("MISSING numbers {gone}"),
        ] {
            assert!(found.out.contains(told), "no {told:?} in {}", found.out);
        }
        // It stays so, and whoever writes is told.
        let done = home.run(&[&["buyer", "create", "--name", "Mai"][..], &BY].concat());
        assert!(done.code == 0 && done.err.contains("this machine saw 3 entries"), "{done:?}");
        assert_eq!(home.run(&["audit", "verify"]).code, 1);
    }
}

#[tokio::test]
async fn a_database_that_is_made_again_under_the_same_name_is_another_one() {
    let options = managed().await;
    let home = Home::on(&options);
    buyer(&home);
    sql(
        &options,
        "DROP SCHEMA orderscope CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    )
    .await;
    assert_eq!(home.run(&["migrate", "--yes", "--reason", "anew"]).code, 0);
    assert_eq!(home.json(&["audit", "verify"], 0)["sound"], true);
}

#[tokio::test]
async fn outcomes_are_told_and_reasons_are_masked_until_they_are_revealed_on_record() {
    let options = managed().await;
    let home = Home::on(&options);
    let number = buyer(&home).to_string();
    let list = home.json(&["audit", "list"], 0);
    assert_eq!(list[0]["reason"], "********");
    assert!(list[0]["outcome"].as_str().unwrap().starts_with("buyer …"), "{list}");
    let show = ["audit", "show", &number];
    let shown = home.json(&show, 0);
    assert_eq!((&shown["reason"], &shown["intent"]), (&"********".into(), &"CreateBuyer".into()));
    let text = home.run(&show).out + &shown.to_string();
    assert!(!text.contains("Lan") && !text.contains("Thị"), "{text}");
    home.refused(&[&show[..], &["--reveal", " "]].concat(), 4, &["say why"]);
    let shown = home.json(&[&show[..], &["--reveal", "CB-91"]].concat(), 0);
    assert_eq!(shown["reason"], "gọi lại Lan");
    assert!(shown["after"].to_string().contains("Lê Thị"), "{shown}");
    let list = home.json(&["audit", "list", "--reveal", "CB-92"], 0);
    assert_eq!(list[0]["intent"], "RevealPersonalData");
    assert_eq!(
        (&list[0]["reason"], &list[0]["targets"]),
        (&"CB-91".into(), &format!("audit {number}").into())
    );
    home.refused(&["audit", "show", "999"], 1, &["no audit entry 999"]);
}

#[tokio::test]
async fn work_with_the_broker_that_was_killed_shows_no_end() {
    let options = managed().await;
    let home = Home::on(&options);
    buyer(&home);
    let db = Db::new(&options, &orderscope::db::Limits::default());
    // As a drain records itself before its first message, and after its last.
    for (ended, told) in [(false, "no end is on record"), (true, "delivered 3; see ")] {
        let chain = orderscope::ops::audit::Chain::open(
            &orderscope::ops::operator::Operator::new(Some("mai"), "postgres").unwrap(),
        );
        let id = Uuid::now_v7();
        let after = serde_json::json!({ "ended": id, "became": { "delivered": 3, "failed": 0 } });
        let meant = serde_json::json!({ "messages": 3 });
        let entries = [(id, &meant), (Uuid::now_v7(), &after)];
        for (id, after) in &entries[..if ended { 2 } else { 1 }] {
            let entry = orderscope::ops::audit::Entry {
                id: *id,
                at: chrono::Utc::now(),
                intent: "DrainOutbox",
                targets: vec![],
                reason: None,
                before: &Value::Null,
                after,
            };
            db.record("test", async |tx| chain.record(tx, &entry).await).await.unwrap();
        }
        let list = home.json(&["audit", "list"], 0);
        let begun = &list[usize::from(ended)];
        assert!(begun["outcome"].as_str().unwrap().starts_with(told), "{list}");
        if ended {
            let shown = home.json(&["audit", "show", &begun["audit"].to_string()], 0);
            assert_eq!(shown["ended"]["became"]["delivered"], 3, "{shown}");
        }
    }
}
