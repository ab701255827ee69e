//! Demo data is loaded, planted and healed by operations: allowed, confirmed, recorded, and never over what others made.

use orderscope::demo::scenario::Scenario;
use serde_json::Value;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{
    pty::terminal::url,
    scenario,
    support::postgres::{demo, managed},
    verbs::{Done, Home},
};

const BY: [&str; 4] = ["--operator", "mai", "--reason", "CB-91"];
const LOAD: [&str; 8] =
    ["demo", "load", "--orders", "100", "--until", "2026-11-22", "--replace", "--yes"];

async fn fingerprints(options: &PgConnectOptions) -> Vec<Option<String>> {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    scenario::fingerprints(&mut conn).await
}

fn placed(home: &Home) {
    let done = |words: &[&str]| home.json(&[words, &BY[..], &["--yes"]].concat(), 0);
    let buyer = done(&["buyer", "create", "--name", "Le Thi"]);
    let buyer = buyer["target"].as_str().unwrap();
    let line = format!("{}:2:14.20", Uuid::from_u128(1));
    done(&["order", "create", "--buyer", buyer, "--line", &line]);
}

#[tokio::test]
async fn what_others_made_is_never_replaced() {
    // Somebody's own orders alone, and beside demo data.
    for (options, told) in [
        (managed().await, "1 order, 1 buyer, 1 stream, 1 event"),
        (demo(100).await, "1 order, 1 buyer, 1 stream, 1 event"),
    ] {
        let home = Home::on(&options);
        placed(&home);
        let rows = fingerprints(&options).await;
        home.refused(&LOAD, 4, &[told, "never replaced"]);
        home.refused(&[&LOAD[..7], &["--dry-run"]].concat(), 4, &[told]);
        assert_eq!(fingerprints(&options).await, rows);
    }
    // An event on one of the demo's own orders is somebody's work too.
    let options = demo(100).await;
    let home = Home::on(&options);
    let new = home.json(&["orders", "search", "status:new"], 0);
    let id = new[0]["id"].as_str().unwrap();
    home.json(&[&["order", "complete", id][..], &BY[..], &["--yes"]].concat(), 0);
    home.refused(&LOAD, 4, &["1 event"]);
}

#[tokio::test]
async fn demo_data_with_a_scenario_in_it_is_replaced_and_each_step_is_on_record() {
    let options = demo(100).await;
    let home = Home::on(&options);
    let run = |words: &[&str]| -> Done {
        let done = home.run(&[words, &BY[..]].concat());
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        done
    };
    // What would be done is shown, and nothing is done.
    let rows = fingerprints(&options).await;
    let shown = run(&[&LOAD[..7], &["--dry-run"]].concat());
    assert!(shown.out.contains("all rows here are the demo's"), "{shown:?}");
    let asked = home.run(&LOAD[..7]);
    assert!(asked.code == 4 && asked.err.contains("say --yes"), "{asked:?}");
    assert_eq!(fingerprints(&options).await, rows);
    run(&["demo", "scenario", "poison", "--yes"]);
    run(&["demo", "heal", "--yes"]);
    run(&["demo", "scenario", "duplicates", "--yes"]);
    run(&LOAD);
    let list = home.json(&["audit", "list"], 0);
    let intents: Vec<_> = list.as_array().unwrap().iter().map(|entry| &entry["intent"]).collect();
    assert_eq!(intents, ["LoadDemo", "PlantScenario", "HealScenario", "PlantScenario"]);
    assert!(list.as_array().unwrap().iter().all(|entry| entry["operator"] == "mai"), "{list}");
    assert_eq!(home.run(&["audit", "verify"]).code, 0);
}

#[tokio::test]
async fn the_policy_of_the_context_holds_for_the_demo_too() {
    let options = demo(100).await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let rows = scenario::fingerprints(&mut conn).await;
    let role: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut conn).await.unwrap();
    let home = Home::new();
    let file = home.dir.path().join("rules.toml");
    let at = ["--config", file.to_str().unwrap(), "--context", "shop"];
    let verbs: [&[&str]; 3] = [&LOAD, &["demo", "scenario", "poison", "--yes"], &["demo", "heal"]];
    let rules = |more: &str| {
        let text = format!("[contexts.shop]\nurl = {:?}\n{more}\n", url(&options));
        std::fs::write(&file, text).unwrap();
    };
    rules(&format!("allow = {{ {role} = [\"CancelOrder\"] }}"));
    for verb in verbs {
        home.refused(&[&at[..], verb].concat(), 4, &["is not allowed to your roles in shop"]);
    }
    rules("read_only = true");
    for verb in verbs {
        home.refused(&[&at[..], verb].concat(), 4, &["read-only"]);
    }
    // Where it is production, --yes is not enough.
    rules("production = true");
    for verb in &verbs[..2] {
        let done = home.run(&[&at[..], verb].concat());
        assert_eq!((done.code, done.out.as_str()), (4, ""), "{done:?}");
        assert!(done.err.contains(" shop'"), "{done:?}");
    }
    assert_eq!(scenario::fingerprints(&mut conn).await, rows);
    scenario::plant(&mut conn, Scenario::Poison, None).await.unwrap();
    let done = home.run(&[&at[..], &["demo", "heal", "--confirm", "HEAL shop"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(scenario::fingerprints(&mut conn).await, rows);
    assert!(home.json(&[&at[..], &["audit", "list"]].concat(), 0)[0]["reason"] == Value::Null);
}

#[tokio::test]
async fn killed_in_the_middle_of_a_replacement_everything_is_as_it_was() {
    let options = demo(2_000).await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let rows = scenario::fingerprints(&mut conn).await;
    let home = Home::on(&options);
    let mut child = home.command().args(LOAD).spawn().unwrap();
    let mut replacing = async || -> bool {
        // Names of tables cannot be asked for while the tables are locked; numbers of files can.
        let locked = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
                          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND pid <> pg_backend_pid())";
        sqlx::query_scalar(locked).fetch_one(&mut conn).await.unwrap()
    };
    while !replacing().await {
        assert_eq!(child.try_wait().unwrap(), None);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while replacing().await {}
    assert_eq!(fingerprints(&options).await, rows);
    assert_eq!(home.json(&["audit", "list"], 1), Value::Array(vec![]));
    // And it can be done again.
    assert_eq!(home.run(&LOAD).code, 0);
}
