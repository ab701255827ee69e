//! Columns of other types than the document's, and single values that cannot be read: the rest is answered as ever, and
//! the row says that it is not known whole.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::sql;
use crate::{
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

async fn store() -> PgConnectOptions {
    let options = fixture::own(pg18(), Schema::Document, "1-backlog").await;
    sql(&options, "CREATE SEQUENCE mt_events_sequence START 1000").await;
    options
}

/// What the list says of every order.
fn list(home: &Home) -> Vec<Value> {
    let found = home.json(&["orders", "search", "--limit", "1000"], 0);
    found.as_array().unwrap().clone()
}

fn attach(home: &Home) {
    let attach = ["attach", "--publisher", "service", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
}

async fn text(options: &PgConnectOptions, sql: &str) -> String {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap()
}

/// Changes of types that leave every value what it was.
pub const SAME_VALUES: [(&str, &str); 7] = [
    ("status as integer", "ALTER TABLE orders ALTER status TYPE integer"),
    (
        "status as text",
        "ALTER TABLE orders ALTER status TYPE text
            USING (ARRAY['New', 'Cancelled', 'Completed'])[status + 1]",
    ),
    (
        "status as an enum in small letters",
        "CREATE TYPE order_status AS ENUM ('new', 'cancelled', 'completed');
         ALTER TABLE orders ALTER status TYPE order_status
            USING (ARRAY['new', 'cancelled', 'completed'])[status + 1]::order_status",
    ),
    (
        "wide and narrow numbers",
        "ALTER TABLE order_items ALTER quantity TYPE bigint;
         ALTER TABLE mt_events ALTER version TYPE integer;
         ALTER TABLE mt_streams ALTER version TYPE integer;
         ALTER TABLE outbox_state ALTER last_sequence_number TYPE numeric;
         ALTER TABLE inbox_state ALTER receive_count TYPE bigint",
    ),
    (
        "times without a zone",
        "SET timezone = 'UTC';
         ALTER TABLE orders ALTER created_at TYPE timestamp, ALTER last_modified_at TYPE timestamp;
         ALTER TABLE mt_events ALTER timestamp TYPE timestamp;
         ALTER TABLE outbox_message ALTER sent_time TYPE timestamp;
         ALTER TABLE outbox_state ALTER created TYPE timestamp, ALTER delivered TYPE timestamp;
         ALTER TABLE inbox_state ALTER received TYPE timestamp",
    ),
    ("prices as money", "SET lc_monetary = 'C'; ALTER TABLE order_items ALTER price TYPE money"),
    ("documents as json", "ALTER TABLE mt_events ALTER data TYPE json"),
];

#[tokio::test]
async fn other_types_of_the_same_values_give_the_same_answers() {
    let usual = store().await;
    let home = Home::on(&usual);
    let expected = list(&home);
    let id =
        home.json(&["orders", "search", "status:new"], 0)[0]["id"].as_str().unwrap().to_owned();
    let shown = |home: &Home| home.run(&["order", "show", &id]).out;
    let events = |home: &Home| home.run(&["order", "events", &id, "--format", "json"]).out;
    let status = |home: &Home| home.run(&["messages", "why"]).code;
    let (show, told, why) = (shown(&home), events(&home), status(&home));
    for (what, change) in SAME_VALUES {
        let options = store().await;
        sql(&options, change).await;
        let home = Home::on(&options);
        assert_eq!(list(&home), expected, "{what}");
        assert_eq!(shown(&home), show, "{what}");
        assert_eq!(events(&home), told, "{what}");
        assert_eq!(status(&home), why, "{what}");
        let new = home.json(&["orders", "search", "status:new"], 0);
        assert!(new.as_array().unwrap().iter().all(|row| row["status"] == "New"), "{what}");
        attach(&home);
        home.json(&["order", "cancel", &id, "--reason", "INC-7", "--yes"], 0);
        let cancelled = home.json(&["orders", "search", &id], 0);
        assert_eq!(cancelled[0]["status"], "Cancelled", "{what}");
        let raw = format!("SELECT lower(status::text) FROM orders WHERE id = '{id}'");
        let raw = text(&options, &raw).await;
        assert!(["1", "cancelled"].contains(&raw.as_str()), "{what}");
        let at = format!(
            "SELECT (last_modified_at::timestamp - now()::timestamp < '1 h')::text FROM orders WHERE id = '{id}'"
        );
        assert_eq!(text(&options, &at).await, "true", "{what}");
    }
}

#[tokio::test]
async fn a_column_that_cannot_be_read_is_named() {
    let options = store().await;
    let change = "ALTER TABLE orders ALTER created_at TYPE text";
    sql(&options, change).await;
    let home = Home::on(&options);
    let told = "orders.created_at is text, which cannot be read";
    home.refused(&["orders", "search"], 4, &[told]);
}

/// One value in one order that cannot be read; where it shows.
pub const BAD_VALUES: [(&str, &str, &str); 5] = [
    (
        "a price that is no number",
        "UPDATE order_items SET price = 'NaN' WHERE order_id = '{id}'",
        "the price NaN of line",
    ),
    (
        "a price beyond all amounts",
        "ALTER TABLE order_items ALTER price TYPE numeric;
         UPDATE order_items SET price = 1e60 WHERE order_id = '{id}'",
        "the price 1000000000000000000… of line",
    ),
    (
        "a quantity beyond 32 bits",
        "ALTER TABLE order_items ALTER quantity TYPE bigint;
         UPDATE order_items SET quantity = 5000000000 WHERE order_id = '{id}'",
        "the quantity (beyond 32 bits) of line",
    ),
    (
        "a status that is no name",
        "ALTER TABLE orders ALTER status TYPE text USING (ARRAY['New', 'Cancelled', 'Completed'])[status + 1];
         UPDATE orders SET status = 'Shipped?' WHERE id = '{id}'",
        "unreadable",
    ),
    (
        "a body nested deeper than anybody reads",
        "UPDATE mt_events SET data = (repeat('[', 3000) || repeat(']', 3000))::jsonb WHERE stream_id = '{id}'",
        "its JSON cannot be read: recursion limit exceeded",
    ),
];

#[tokio::test]
async fn one_value_that_cannot_be_read_spoils_its_own_row_alone() {
    let usual = store().await;
    let home = Home::on(&usual);
    let expected = list(&home);
    let id =
        home.json(&["orders", "search", "status:new"], 0)[0]["id"].as_str().unwrap().to_owned();
    let why = home.run(&["messages", "why"]);
    for (what, change, told) in BAD_VALUES {
        let options = store().await;
        sql(&options, &change.replace("{id}", &id)).await;
        let home = Home::on(&options);
        let rows = list(&home);
        assert_eq!(rows.len(), expected.len(), "{what}");
        for (row, usual) in rows.iter().zip(&expected).filter(|(row, _)| row["id"] != json!(id)) {
            assert_eq!(row, usual, "{what}");
        }
        let shown = home.run(&["order", "show", &id]);
        assert!(shown.out.contains(told), "{what}: {shown:?}");
        let messages = home.run(&["messages", "why"]);
        assert_eq!(messages.code, why.code, "{what}: {messages:?}");
        if told.starts_with("the ") {
            let row = rows.iter().find(|row| row["id"] == json!(id)).unwrap();
            assert_eq!(row["total"], Value::Null, "{what}");
            assert!(
                home.json(&["orders", "search", "total:>0", "--limit", "1000"], 0)
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|row| row["id"] != json!(id)),
                "{what}"
            );
        }
    }
}
