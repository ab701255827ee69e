//! Times as verbs print and take them, and the zone that `local` means.

use serde_json::Value;

use crate::{
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::{Done, Home},
};

async fn home() -> Home {
    Home::on(&fixture::stage(pg18(), Schema::Marten9, "2-delivered").await)
}

/// The order with the most events among the newest.
fn eventful(home: &Home) -> String {
    let found = home.json(&["orders", "search", "--limit", "50"], 0);
    let ids = found.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
    let events = |id: &String| home.json(&["order", "timeline", id], 0).as_array().unwrap().len();
    ids.max_by_key(events).unwrap()
}

/// `2026-11-22 09:12:04+01:00`, wherever it stands in the line.
fn printed(line: &str) -> Option<&str> {
    let at = line.find('-').filter(|at| *at >= 4)? - 4;
    line.get(at..at + 25).filter(|time| time.as_bytes()[10] == b' ' && time.as_bytes()[13] == b':')
}

#[tokio::test]
async fn a_time_as_the_timeline_prints_it_includes_its_event() {
    let home = home().await;
    let id = eventful(&home);
    let rows = home.json(&["order", "timeline", &id], 0);
    let rows: Vec<Value> = rows.as_array().unwrap().clone();
    let table = home.run(&["order", "timeline", &id, "--zone", "Europe/Berlin"]);
    let times: Vec<&str> = table.out.lines().filter_map(printed).collect();
    assert_eq!(times.len(), rows.len(), "{table:?}");
    assert!(rows.len() > 1);
    for (row, time) in rows.iter().zip(times) {
        let shown = home.run(&["order", "show", &id, "--at", time, "--output", "json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        let (found, wanted) = (shown["order_version"].as_i64(), row["version"].as_i64());
        assert!(found >= wanted, "{time}: {found:?} of {wanted:?}");
        // The same without the offset, in the zone it was printed for.
        let local = &time[..19];
        let same =
            ["order", "show", &id, "--at", local, "--zone", "Europe/Berlin", "--output", "json"];
        let same: Value = serde_json::from_str(&home.run(&same).out).unwrap();
        assert_eq!(same["order_version"], shown["order_version"], "{local}");
    }
}

#[tokio::test]
async fn local_is_the_zone_that_tz_names() {
    let home = home().await;
    let asked = |tz: &str| {
        let mut command = home.command();
        command.args(["orders", "search", "--zone", "local"]).env("TZ", tz);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    };
    for (tz, offset) in [
        ("Asia/Tokyo", "+09:00"),
        (":Asia/Tokyo", "+09:00"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "+09:00"),
        ("JST-9", "+09:00"),
        ("", "Z"),
    ] {
        let done = asked(tz);
        assert!(done.code == 0 && done.out.contains(offset), "{tz}: {done:?}");
    }
    for tz in ["Mars/Olympus", "/nonexistent", "CET-1CEST,M3.5.0,M10.5.0/3"] {
        let done = asked(tz);
        assert!(done.code == 2 && done.err.contains(tz) && done.out.is_empty(), "{done:?}");
    }
}
