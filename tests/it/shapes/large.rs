//! Events of 20 MB: what is said of the order stays right or is uncertain, and the console stays small.

use sqlx::{Connection, PgConnection};

use super::sql;
use crate::{
    pty::terminal::{Start, block_on},
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

/// How a body becomes large, and what `order show` then says of the status.
const LARGE: [(&str, &str); 4] = [
    ("jsonb_set(data, '{Filler}', to_jsonb(repeat('abcdefghij', 2000000)))", "New"),
    (
        "jsonb_set(data, '{Filler}', (SELECT jsonb_agg(jsonb_build_object('n', n)) FROM generate_series(1, 1000000) n))",
        "New",
    ),
    ("jsonb_set(data, '{Order,Note}', to_jsonb(repeat('abcdefghij', 2000000)))", "not certain"),
    ("to_jsonb(repeat('abcdefghij', 2000000))", "not certain"),
];

/// More than an ordinary order takes, in kB: far less than one copy of the body.
const MOST: u64 = 10_000;

#[test]
fn a_large_event_takes_no_memory_and_tells_nothing_wrong() {
    for (body, events) in LARGE {
        let options = block_on(fixture::own(pg18(), Schema::Document, "1-backlog"));
        let (id, other): (String, String) = block_on(async {
            let mut conn = PgConnection::connect_with(&options).await.unwrap();
            let both = "SELECT min(id::text), max(id::text) FROM orders WHERE status = 0";
            sqlx::query_as(both).fetch_one(&mut conn).await.unwrap()
        });
        let change = format!("UPDATE mt_events SET data = {body} WHERE stream_id = '{id}'");
        block_on(sql(&options, &change));
        let home = Home::on(&options);
        let done = home.run(&["order", "show", &id]);
        let line = done.out.lines().find_map(|line| line.strip_prefix("events say"));
        assert!(line.unwrap().contains(events), "{body}: {done:?}");
        let raw = home.run(&["order", "events", &id, "--output", "json"]);
        assert!(raw.out.len() < 100_000, "{body}: {}", raw.out.len());
        if events == "not certain" {
            let told = "more than the 2,000,000 that are read";
            assert!(done.out.contains(told), "{body}: {done:?}");
        }
        let highest = [&other, &id].map(|id| {
            let link = format!("ops://database/order/{id}");
            let mut terminal = Start::new().on(&options).arg("open").arg(&link).open();
            for _ in 0..3 {
                terminal.until("the order", |screen| {
                    screen.contains("Scrubber") && !screen.contains("Loading …")
                });
                terminal.send("r");
                terminal.is_read();
            }
            terminal.send("J");
            terminal.shows("as stored");
            let highest = terminal.highest_memory();
            terminal.send("\u{3}");
            terminal.ends_clean(0);
            highest
        });
        if let [Some(ordinary), Some(large)] = highest {
            assert!(large < ordinary + MOST, "{body}: {large} kB, else {ordinary} kB");
        }
    }
}
