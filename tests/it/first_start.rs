//! The first start of the private database: killed at every step, begun by several at the same moment, and without room.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};

use crate::{embedded::Disk, pty::terminal::block_on, verbs::Home};

const LOOK: [&str; 5] = ["orders", "search", "--limit", "3", "--output=json"];
/// Making and filling a database takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

fn begun(home: &Home) -> Child {
    home.command().args(LOOK).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Begins a start and kills it, as `kill -9` does, while it says that it does this; false where it was done with that
/// before anybody looked.
fn killed_at(home: &Home, doing: &str) -> bool {
    let (mut child, end) = (begun(home), Instant::now() + PATIENCE);
    let said = || std::fs::read_to_string(home.dir.path().join("private/doing"));
    // What a killed one said stays until the next one says something else.
    while !said().is_ok_and(|said| said.starts_with(doing)) {
        if child.try_wait().unwrap().is_some() {
            let ended = child.wait_with_output().unwrap();
            assert!(ended.status.success(), "{doing}: {ended:?}");
            return false;
        }
        assert!(Instant::now() < end, "it never was {doing}");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

fn orders(home: &Home) -> i64 {
    let url = home.run(&["db", "start"]).out.lines().last().unwrap().to_owned();
    let count = block_on(async {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut conn).await.unwrap()
    });
    assert_eq!(home.run(&["db", "stop", "--force"]).code, 0);
    count
}

#[test]
fn killed_at_every_step_the_next_start_starts_over_or_finishes() {
    let mut home = Home::new();
    for doing in [
        "looking for PostgreSQL",
        "creating a PostgreSQL",
        "starting PostgreSQL",
        "preparing the database",
        "writing demo orders",
        "creating indexes",
        "gathering statistics",
    ] {
        // On a busy machine a short step may be missed; then it is tried on a new one.
        let mut tries = 0;
        while !killed_at(&home, doing) {
            tries += 1;
            assert!(tries < 10, "{doing} was never seen");
            home = Home::new();
        }
    }
    let found = home.run(&LOOK);
    assert_eq!(found.code, 0, "{found:?}");
    assert!(!home.dir.path().join("private/doing").exists());
    assert_eq!(orders(&home), 20_000);
    assert_eq!(home.run(&["demo", "troubles"]).code, 0);
}

#[test]
fn a_database_that_an_older_program_left_unfilled_is_filled() {
    let home = Home::new();
    // Its schema was made and committed before the demo data.
    let url = home.run(&["db", "start"]).out.lines().last().unwrap().to_owned();
    block_on(async {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        orderscope::db::migrate::migrate(&mut conn).await.unwrap();
    });
    assert_eq!(home.run(&LOOK).code, 0);
    assert_eq!(orders(&home), 20_000);
}

#[test]
fn all_that_start_at_the_same_moment_find_the_same() {
    let home = Home::new();
    let ended: Vec<_> = [begun(&home), begun(&home), begun(&home)]
        .into_iter()
        .map(|child| child.wait_with_output().unwrap())
        .collect();
    for done in &ended {
        assert!(done.status.success() && !done.stdout.is_empty(), "{ended:?}");
        assert_eq!(done.stdout, ended[0].stdout);
    }
    assert_eq!(orders(&home), 20_000);
}

#[test]
fn what_the_disk_has_no_room_for_is_told_and_goes_on_with_more() {
    let mut home = Home::new();
    let place = home.dir.path().join("small");
    std::fs::create_dir(&place).unwrap();
    let Some(disk) = Disk::mount(&place, "size=120m,mode=755") else {
        eprintln!("NOT TESTED on a real disk: mounting is not allowed here");
        return;
    };
    let data: PathBuf = place.join("private");
    home.variables.push(("ORDERSCOPE_DATA_DIR", data.display().to_string()));
    home.refused(&LOOK, 3, &["the demo data needs about 150 MB", "MB free", "free some space"]);
    // Nothing was half made: it is told the same again, and with room it is all there.
    home.refused(&LOOK, 3, &["the demo data needs about 150 MB"]);
    disk.resize("500m");
    let found = home.run(&LOOK);
    assert_eq!(found.code, 0, "{found:?}");
    assert_eq!(orders(&home), 20_000);
}
