//! Changing something as a person does: unlock, form, plan, typed word, result; and taking it back.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::terminal::{Start, Terminal, block_on};
use crate::support::postgres::demo;

fn database() -> PgConnectOptions {
    block_on(demo(400))
}

/// An order with nothing but its placing.
pub fn placed(options: &PgConnectOptions) -> Uuid {
    block_on(async {
        let mut conn = PgConnection::connect_with(options).await.unwrap();
        let found = sqlx::query_scalar(
            "SELECT o.id FROM orders o WHERE o.status = 0 AND NOT o.is_deleted
               AND (SELECT count(*) FROM mt_events e WHERE e.stream_id = o.id) = 1
               AND NOT EXISTS (SELECT FROM mt_events e
                   WHERE e.stream_id <> o.id AND e.data -> 'Order' ->> 'Id' = o.id::text)
             ORDER BY o.id LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        conn.close().await.unwrap();
        found
    })
}

/// Status, deletion, newest version, and the intents on record of an order.
fn stored(options: &PgConnectOptions, order: Uuid) -> (i16, bool, i64, Vec<String>) {
    block_on(async {
        let mut conn = PgConnection::connect_with(options).await.unwrap();
        let (status, deleted) =
            sqlx::query_as("SELECT status, is_deleted FROM orders WHERE id = $1")
                .bind(order)
                .fetch_one(&mut conn)
                .await
                .unwrap();
        let version = sqlx::query_scalar("SELECT version::bigint FROM mt_streams WHERE id = $1")
            .bind(order)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        let intents = sqlx::query_scalar(
            "SELECT intent FROM orderscope.audit WHERE $1 = ANY(targets) ORDER BY number",
        )
        .bind(order.to_string())
        .fetch_all(&mut conn)
        .await
        .unwrap();
        conn.close().await.unwrap();
        (status, deleted, version, intents)
    })
}

/// A console on the timeline of an order, as `mai`.
fn travelling(options: &PgConnectOptions, order: Uuid) -> Terminal {
    let link = format!("ops://database/order/{order}");
    let start = Start::new().on(options).arg("--operator").arg("mai").arg("open").arg(&link);
    let terminal = start.open();
    terminal.shows("State at v1");
    terminal
}

fn unlock(terminal: &mut Terminal) {
    terminal.send("w");
    terminal.shows("Unlock writes");
    terminal.send("CB-91\r");
    terminal.shows("UNLOCKED");
}

#[test]
fn an_order_is_cancelled_through_the_card() {
    let options = database();
    let order = placed(&options);
    let mut terminal = travelling(&options, order);
    // Locked until it is unlocked.
    terminal.send("c");
    terminal.shows("writes are locked: w unlocks");
    unlock(&mut terminal);
    terminal.send("c");
    terminal.shows("cancel the order, with a reason");
    terminal.send("x");
    terminal.shows("Cancel order");
    // What the console was unlocked for stands there; typing replaces it.
    terminal.until("the reason of the unlock", |screen| {
        screen.lines().any(|line| line.contains("reason") && line.contains("CB-91"))
    });
    terminal.send("\x15\r");
    terminal.shows("the reason is needed");
    terminal.send("CB-91 customer asked\r");
    terminal.shows("type CANCEL to run");
    terminal.shows("preconditions");
    assert_eq!(stored(&options, order), (0, false, 1, vec![]), "a plan writes nothing");
    // Enter alone runs nothing.
    terminal.send("\r");
    terminal.shows("that is not the word");
    terminal.send("CANCEL\r");
    terminal.shows("DONE");
    terminal.shows("version  2");
    assert_eq!(stored(&options, order), (1, false, 2, vec!["CancelOrder".to_owned()]));
    terminal.send("\x1b");
    terminal.shows("State at v2");
    terminal.until("who did it, between the events", |screen| {
        screen.lines().any(|line| line.contains("CancelOrder") && line.contains("mai"))
    });
    // There is no way back from a cancellation.
    terminal.send("u");
    terminal.shows("nothing done in this session can be taken back");
    terminal.send("c");
    terminal.shows("only a New order completes or cancels");
    terminal.send("\x1b");
    terminal.drops("Change order");
    terminal.send("@");
    terminal.shows("Operations log");
    terminal.until("the record", |screen| {
        // The cursor stands in the log; the timeline beneath names the command too.
        screen.lines().any(|line| line.contains("> #") && line.contains("CancelOrder"))
    });
    terminal.send("\r");
    terminal.shows("Record #");
    terminal.shows(&order.to_string());
    assert!(!terminal.text().contains("customer asked"), "reasons are personal");
    terminal.send("\x1b");
    terminal.drops("Record #");
    terminal.send("\x1b");
    terminal.drops("Operations log");
    terminal.send("w");
    terminal.shows("LOCKED read-only");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn a_deletion_is_taken_back_by_u() {
    let options = database();
    let order = placed(&options);
    let mut terminal = travelling(&options, order);
    unlock(&mut terminal);
    terminal.send("c");
    terminal.shows("Change order");
    terminal.send("d");
    terminal.shows("Delete order");
    terminal.send("a duplicate\r");
    terminal.shows("type DELETE to run");
    terminal.send("DELETE\r");
    terminal.shows("u takes it back");
    let (_, deleted, version, _) = stored(&options, order);
    assert_eq!((deleted, version), (true, 1), "no event carries it");
    terminal.send("\x1b");
    terminal.drops("DONE");
    terminal.send("u");
    terminal.shows("type RESTORE to run");
    terminal.send("RESTORE\r");
    terminal.shows("is restored");
    let intents = vec!["DeleteOrder".to_owned(), "RestoreOrder".to_owned()];
    assert_eq!(stored(&options, order), (0, false, 1, intents));
    terminal.send("\x1b");
    terminal.drops("DONE");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn personal_data_is_shown_once_it_is_on_record() {
    let options = database();
    let order = placed(&options);
    let mut terminal = travelling(&options, order);
    terminal.shows("PII masked");
    terminal.send("R");
    terminal.shows("Reveal personal data");
    terminal.send("chargeback CB-91\r");
    terminal.shows("PII SHOWN");
    let recorded: i64 = block_on(async {
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        let sql = "SELECT count(*) FROM orderscope.audit WHERE intent = 'RevealPersonalData'";
        sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
    });
    assert_eq!(recorded, 1);
    terminal.send("R");
    terminal.shows("PII masked");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn a_read_only_console_cannot_be_unlocked() {
    let options = database();
    let mut terminal = Start::new().on(&options).arg("--read-only").open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.shows("READ-ONLY");
    terminal.send("w");
    terminal.shows("start it without --read-only");
    terminal.send("c");
    terminal.shows("start it without --read-only");
    assert!(!terminal.text().contains("Change order"));
    terminal.send("q");
    terminal.ends_clean(0);
}
