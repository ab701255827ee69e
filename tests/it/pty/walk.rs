//! What a person does: find an order, travel through its history, copy, resize, click, paste.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::terminal::{Start, Terminal, block_on};
use crate::support::postgres::demo;

fn database() -> PgConnectOptions {
    block_on(demo(400))
}

/// A console whose list has come.
fn listing(options: &PgConnectOptions, width: u16, height: u16) -> Terminal {
    let terminal = Start::new().on(options).size(width, height).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal
}

/// An order that was placed and then cancelled, and the id of its second event.
fn cancelled(options: &PgConnectOptions) -> (Uuid, Uuid) {
    block_on(async {
        let mut conn = PgConnection::connect_with(options).await.unwrap();
        let found = sqlx::query_as(
            "SELECT o.id, e.id FROM orders o JOIN mt_events e ON e.stream_id = o.id AND e.version = 2
             WHERE e.type = 'order_cancelled_event' AND NOT o.is_deleted
               AND (SELECT count(*) FROM mt_events a WHERE a.stream_id = o.id) = 2
             ORDER BY o.id LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        conn.close().await.unwrap();
        found
    })
}

/// A console on the timeline of an order, searched by its id.
fn travelling(options: &PgConnectOptions, order: Uuid) -> Terminal {
    let mut terminal = listing(options, 120, 36);
    terminal.send("/");
    terminal.send(&order.to_string());
    terminal.shows("Orders (1)");
    terminal.send("\r");
    terminal.shows(&format!("Order {order}   v2"));
    terminal
}

#[test]
fn finds_an_order_and_travels_through_its_history() {
    let options = database();
    let (order, _) = cancelled(&options);
    let mut terminal = travelling(&options, order);
    terminal.shows("State at v2");
    terminal.shows("OrderCancelled");
    terminal.send("h");
    terminal.shows("State at v1");
    terminal.shows("in the past");
    terminal.send("l");
    terminal.shows("State at v2");
    terminal.send("tv1\r");
    terminal.shows("State at v1");
    terminal.send("t");
    terminal.shows("go to (");
    terminal.send("v9\r");
    terminal.shows("versions go from 1 to 2");
    terminal.send("\x1b");
    terminal.drops("go to (");
    // The pins, then what lies between them.
    terminal.send("A");
    terminal.send("l");
    terminal.send("B");
    terminal.shows("A=v1 B=v2; = compares them");
    terminal.send("=");
    terminal.shows("Diff A:B  v1 → v2");
    terminal.until("the status as changed", |screen| {
        screen.lines().any(|line| line.contains("New") && line.contains("Cancelled"))
    });
    terminal.send("=");
    terminal.shows("State at v2");
    terminal.send("=");
    terminal.shows("Diff A:B  v1 → v2");
    // As it is stored; Esc goes back step by step and never out.
    terminal.send("J");
    terminal.shows("Event v2 as stored");
    terminal.shows("order_cancelled_event");
    terminal.send("\x1b");
    terminal.drops("as stored");
    terminal.send("\x1b");
    terminal.shows("State at v2");
    terminal.send("\x1b");
    terminal.shows("Preview");
    terminal.send("\x1b\x1b");
    terminal.shows("newest orders");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn copies_through_the_terminal() {
    let options = database();
    let (order, event) = cancelled(&options);
    let mut terminal = travelling(&options, order);
    terminal.shows("State at v2");
    terminal.send("y");
    terminal.writes(&format!("\x1b]52;c;{}", base64(&event.to_string())));
    terminal.shows("copied event id (36 characters)");
    terminal.send("Y");
    let link = format!("ops://database/order/{order}");
    terminal.writes(&format!("\x1b]52;c;{}", base64(&link)));
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn help_and_palette_lie_over_the_screen() {
    let options = database();
    let mut terminal = listing(&options, 120, 36);
    terminal.send("?");
    terminal.shows("On Orders");
    terminal.send("\x1b");
    terminal.drops("On Orders");
    terminal.send(":");
    terminal.shows("Enter runs, Esc closes");
    terminal.send("zone Mars\r");
    terminal.shows("the time zone \"Mars\"");
    terminal.send("\x15zone Asia/Tokyo\r");
    terminal.shows("TZ Asia/Tokyo");
    terminal.send(":timeline\r");
    terminal.shows("No order is chosen yet");
    terminal.send("-");
    terminal.shows("Preview");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn a_resize_keeps_the_cursor_and_what_is_on_screen() {
    let options = database();
    let mut terminal = listing(&options, 120, 36);
    let id = terminal.listed()[5].clone();
    terminal.send("jjjjj");
    terminal.cursor_on(&id);
    for (width, height, sign) in [
        (80, 24, "OPS [DATABASE]"),
        (200, 60, "Preview"),
        (40, 10, "The window is 40x10"),
        (120, 36, "Preview"),
    ] {
        terminal.resize(width, height);
        terminal.shows(sign);
        if width >= 60 {
            terminal.cursor_on(&id);
        }
    }
    terminal.send("\r");
    terminal.shows("Scrubber");
    terminal.send("h");
    terminal.shows("State at v1");
    terminal.resize(80, 24);
    terminal.shows("OPS [DATABASE]");
    terminal.until("the cursor on v1", |screen| screen.contains("› v1"));
    terminal.resize(120, 36);
    terminal.shows("State at v1");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn the_mouse_clicks_and_scrolls() {
    let options = database();
    let mut terminal = listing(&options, 120, 36);
    let rows = terminal.listed();
    let (column, row) = terminal.place_of(&format!("…{}", rows[2]));
    terminal.click((column + 4, row));
    terminal.cursor_on(&rows[2]);
    terminal.send(&format!("\x1b[<65;{column};{row}M"));
    terminal.cursor_on(&rows[5]);
    terminal.send(&format!("\x1b[<64;{column};{row}M"));
    terminal.cursor_on(&rows[2]);
    // Twice on one place is Enter; a tab is a place to click on.
    let place = terminal.place_of(&format!("…{}", rows[5]));
    terminal.click(place);
    terminal.click(place);
    terminal.shows("Scrubber");
    terminal.shows(&format!("Orders › …{}", rows[5]));
    let tab = terminal.place_of("2 Orders");
    terminal.click(tab);
    terminal.cursor_on(&rows[5]);
    terminal.send(":mouse off\r");
    terminal.writes("\x1b[?1000l");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn a_paste_is_text_and_never_keys() {
    let options = database();
    let mut terminal = listing(&options, 80, 24);
    terminal.send("/");
    terminal.send("\x1b[200~status:cancelled\nq\x1b[201~");
    terminal.shows("status:cancelled q");
    terminal.send("\x1b[D\x1b[D\x15status:cancelled");
    terminal.until("only cancelled orders", |screen| {
        let list = || screen.lines().filter(|line| line.contains('…') && line.contains("26-"));
        list().count() > 3 && list().all(|line| line.contains("Cancelled"))
    });
    // A malformed query keeps the rows and says what is wrong.
    terminal.send("\x1b[200~ total:>much\x1b[201~");
    terminal.shows("the rows above answer the search before it");
    assert!(terminal.text().contains("Cancelled"));
    terminal.send("\x03");
    terminal.ends_clean(0);
}

#[test]
fn a_link_opens_its_place() {
    let options = database();
    let (order, _) = cancelled(&options);
    let link = format!("ops://database/order/{order}@1?diff=1:2");
    let mut terminal = Start::new().on(&options).arg("open").arg(&link).open();
    terminal.shows("Diff A:B  v1 → v2");
    terminal.shows("› v1");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn what_is_kept_is_there_the_next_time() {
    let options = database();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().display().to_string();
    let mut terminal = Start::new().on(&options).env("XDG_STATE_HOME", &state).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.send("/status:completed\r");
    terminal.until("completed orders", |screen| screen.contains("Orders › status:completed"));
    terminal.send(":save 2\r");
    terminal.shows("F2 comes back here");
    terminal.until("the file", |_| home.path().join("orderscope/database.json").exists());
    terminal.send("q");
    terminal.ends_clean(0);
    let mut terminal = Start::new().on(&options).env("XDG_STATE_HOME", &state).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.send("\x1bOQ");
    terminal.shows("Orders › status:completed");
    terminal.send("q");
    terminal.ends_clean(0);
}

/// Base 64 as OSC 52 carries it.
fn base64(text: &str) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(part.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sign = SIGNS[usize::try_from(bits >> (18 - 6 * at) & 63).unwrap()];
            out.push(if at > part.len() { '=' } else { char::from(sign) });
        }
    }
    out
}

#[test]
fn messages_are_diagnosed_and_lead_to_their_order() {
    let options = database();
    let mut terminal = listing(&options, 120, 36);
    terminal.send("4");
    terminal.shows("Outbox: pending");
    terminal.shows("Diagnosis (");
    terminal.send("p");
    terminal.shows("Pending by type");
    terminal.send("\x1b");
    terminal.drops("Pending by type");
    terminal.send("\t");
    terminal.shows("Enter goes to the row");
    terminal.send("\x1b");
    terminal.drops("Enter goes to the row");
    terminal.send(">");
    terminal.shows("Outbox: delivered");
    terminal.send("<");
    terminal.shows("Outbox: pending");
    terminal.shows("Enter: its order");
    terminal.send("\r");
    terminal.shows("Timeline");
    terminal.shows("State at v");
    terminal.send("[");
    terminal.shows("Outbox: pending");
    terminal.send("q");
    terminal.ends_clean(0);
}

/// Looks that samplers stored in a database.
fn looks(options: &PgConnectOptions) -> i64 {
    block_on(async {
        let mut conn = PgConnection::connect_with(options).await.unwrap();
        let looks = "SELECT coalesce(sum(looks), 0)::bigint FROM orderscope.samples";
        let looks = sqlx::query_scalar(looks).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        looks
    })
}

#[test]
fn stores_what_it_sees_of_messages_while_it_is_locked() {
    let options = database();
    let mut terminal = listing(&options, 120, 36);
    terminal.until("a stored look", |_| looks(&options) > 0);
    terminal.shows("LOCKED");
    terminal.send("4");
    terminal.shows("stored since");
    terminal.send("q");
    terminal.ends_clean(0);
    // Nothing is stored where nothing may be written: it looks by itself and says so.
    let options = database();
    let mut terminal = Start::new().on(&options).arg("--read-only").open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.send("4");
    terminal.shows("since this screen opened");
    terminal.send("q");
    terminal.ends_clean(0);
    assert_eq!(looks(&options), 0);
}
