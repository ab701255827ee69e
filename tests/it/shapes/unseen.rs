//! Databases in which something cannot be looked at: what rests on it is unknown, with the reason, on every verb; never a
//! zero, an all-clear or an error of the database.

use serde_json::Value;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::sql;
use crate::{
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

/// What hides a table from the console: a change, and what has to be told of it.
struct Shape {
    what: &'static str,
    change: &'static str,
    told: &'static str,
}

/// Of a table `{t}` with a column `{c}` that nothing goes without, for a login `{r}` that may read everything.
const SHAPES: [Shape; 6] = [
    Shape { what: "missing", change: "DROP TABLE {t} CASCADE", told: "no table {t}" },
    Shape { what: "renamed", change: "ALTER TABLE {t} RENAME TO old_{t}", told: "no table {t}" },
    Shape {
        what: "without the right to read",
        change: "REVOKE SELECT ON {t} FROM {r}",
        told: "no right to read {t}",
    },
    Shape {
        what: "under row level security",
        change: "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY",
        told: "row level security on {t} may hide rows",
    },
    Shape {
        what: "without a column",
        change: "ALTER TABLE {t} RENAME COLUMN {c} TO gone",
        told: "no column {c} in {t}",
    },
    Shape {
        what: "with a column of a strange type",
        change: "ALTER TABLE {t} DROP COLUMN {c}; ALTER TABLE {t} ADD COLUMN {c} point",
        told: "{t}.{c} is point, which cannot be read",
    },
];

/// A copy of a service's database, read by a login of its own that may read everything.
async fn store() -> (PgConnectOptions, String) {
    let options = fixture::own(pg18(), Schema::Document, "1-backlog").await;
    let role = format!("reader_{}", options.get_database().unwrap());
    let make = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    );
    sql(&options, &make).await;
    (options, role)
}

fn filled(text: &str, table: &str, column: &str, role: &str) -> String {
    text.replace("{t}", table).replace("{c}", column).replace("{r}", role)
}

/// A table with a needed column, the verbs that rest on it, and the fields of `messages status` that do.
type Rests =
    (&'static str, &'static str, &'static [&'static [&'static str]], &'static [&'static str]);

const TABLES: [Rests; 8] = [
    (
        "outbox_message",
        "sent_time",
        &[
            &["messages", "status"],
            &["messages", "why"],
            &["messages", "list"],
            &["messages", "list", "--view", "delivered"],
            &["messages", "show", "1"],
            &["order", "show", "{id}"],
            &["order", "chain", "{id}"],
            &["order", "messages", "{id}"],
            &["orders", "search", "has:undelivered"],
        ],
        &["pending", "pending_bus", "orphans", "expired", "undeliverable"],
    ),
    (
        "outbox_state",
        "delivered",
        &[
            &["messages", "status"],
            &["messages", "why"],
            &["messages", "list"],
            &["order", "messages", "{id}"],
            &["orders", "search", "has:undelivered"],
        ],
        &["pending", "pending_bus", "open_outboxes", "orphans"],
    ),
    (
        "inbox_state",
        "delivered",
        &[
            &["messages", "status"],
            &["messages", "why"],
            &["inbox", "status"],
            &["inbox", "list"],
            &["inbox", "hours"],
            &["order", "chain", "{id}"],
        ],
        &[
            "pending_consumer",
            "inbox.rows",
            "inbox.failing",
            "inbox.half_done",
            "inbox.duplicates_exact",
        ],
    ),
    (
        "mt_events",
        "data",
        &[&["order", "show", "{id}"], &["order", "timeline", "{id}"], &["order", "events", "{id}"]],
        &[],
    ),
    ("mt_streams", "version", &[&["order", "show", "{id}"]], &[]),
    (
        "mt_doc_ordersummaryview",
        "data",
        &[&["order", "show", "{id}"], &["orders", "search", "has:drift"]],
        &[],
    ),
    (
        "mt_doc_deadletterevent",
        "data",
        &[&["order", "show", "{id}"], &["orders", "search", "has:letter"]],
        &[],
    ),
    ("order_items", "price", &[&["orders", "search", "status:new"]], &[]),
];

#[tokio::test]
async fn a_plan_does_not_call_empty_what_it_cannot_look_at() {
    for shape in &SHAPES {
        let (options, role) = store().await;
        let home = Home::on(&options);
        let attach = ["attach", "--publisher", "outbox", "--yes", "--reason", "INC-7"];
        assert_eq!(home.run(&attach).code, 0);
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        let id: String = sqlx::query_scalar("SELECT min(id::text) FROM orders WHERE status = 0")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        // The login owns everything, so that policies and rights do not bind it.
        if shape.change.contains("REVOKE") || shape.change.contains("ROW LEVEL") {
            continue;
        }
        sql(&options, &filled(shape.change, "inbox_state", "delivered", &role)).await;
        let plan = home.run(&[
            "order",
            "cancel",
            &id,
            "--reason",
            "INC-7",
            "--dry-run",
            "--output",
            "csv",
        ]);
        let told = format!("{}{}", plan.out, plan.err);
        let unknown = "whether a command waits in the inbox is not known";
        assert!(told.contains(unknown), "{}: {plan:?}", shape.what);
        assert!(!told.contains("no command waits"), "{}: {plan:?}", shape.what);
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_unknown_on_every_verb() {
    let mut wrong = vec![];
    for shape in &SHAPES {
        for (table, column, verbs, fields) in TABLES {
            let (options, role) = store().await;
            let mut conn = PgConnection::connect_with(&options).await.unwrap();
            let id: String =
                sqlx::query_scalar("SELECT min(id::text) FROM orders WHERE status = 0")
                    .fetch_one(&mut conn)
                    .await
                    .unwrap();
            sql(&options, &filled(shape.change, table, column, &role)).await;
            let home = Home::on(&options.clone().username(&role));
            let told = filled(shape.told, table, column, &role);
            for verb in verbs {
                let verb: Vec<_> = verb.iter().map(|word| word.replace("{id}", &id)).collect();
                let done = home.run(&verb.iter().map(String::as_str).collect::<Vec<_>>());
                let all = format!("{}{}", done.out, done.err);
                // A fault that is seen all the same is told as one.
                let faulty =
                    done.code == 1 && verb.iter().any(|word| *word == "status" || *word == "why");
                if done.code != 5 && !faulty || !all.contains(&told) {
                    wrong
                        .push(format!("{table} {}: {verb:?} wants {told:?}: {done:?}", shape.what));
                }
                for lie in ["No fault found", "nothing stands in the way", "ERROR:", "relation \""]
                {
                    if all.contains(lie) {
                        wrong.push(format!(
                            "{table} {}: {verb:?} says {lie:?}: {done:?}",
                            shape.what
                        ));
                    }
                }
            }
            if fields.is_empty() {
                continue;
            }
            let status = home.run(&["messages", "status", "--output", "json"]);
            let Ok(status) = serde_json::from_str::<Value>(&status.out) else {
                wrong.push(format!("{table} {}: no JSON: {status:?}", shape.what));
                continue;
            };
            for field in fields {
                let value = field.split('.').fold(&status, |value, key| &value[key]);
                if !value.is_null() {
                    wrong.push(format!("{table} {}: {field} is {value}", shape.what));
                }
            }
            let unseen = status["not_looked_at"].as_array().unwrap();
            if !unseen
                .iter()
                .any(|one| one["what"] == table && one["why"].as_str().unwrap().contains(&told))
            {
                wrong.push(format!("{table} {}: not_looked_at is {unseen:?}", shape.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
