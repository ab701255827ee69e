//! Taking a poisonous head out as a person does: unlock, key, plan, typed word, result; and putting it back.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::terminal::{Start, block_on};
use crate::{
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

/// Whether the message is in the outbox, and how many copies wait.
fn stored(options: &PgConnectOptions) -> (i64, i64) {
    block_on(async {
        let mut conn = PgConnection::connect_with(options).await.unwrap();
        let both = "SELECT (SELECT count(*) FROM outbox_message WHERE sequence_number = 89),
                        (SELECT count(*) FROM orderscope.kept_messages WHERE returned_at IS NULL)";
        sqlx::query_as(both).fetch_one(&mut conn).await.unwrap()
    })
}

#[test]
fn the_poisonous_head_is_quarantined_through_the_card() {
    let options = block_on(fixture::own(pg18(), Schema::Marten9, "6-bad-destination"));
    let home = Home::on(&options);
    let attach = ["attach", "--publisher", "service", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    let start = Start::new().on(&options).arg("--operator").arg("mai");
    let mut terminal = start.arg("open").arg("ops://database/messages/89?pending").open();
    terminal.shows("POISON");
    terminal.send("K");
    terminal.shows("writes are locked: w unlocks");
    terminal.send("w");
    terminal.shows("Unlock writes");
    terminal.send("INC-7\r");
    terminal.shows("UNLOCKED");
    terminal.send("K");
    terminal.shows("Quarantine message 89");
    terminal.send("INC-7 bad destination\r");
    terminal.shows("type QUARANTINE to run");
    terminal.shows("not recorded as delivered");
    assert_eq!(stored(&options), (1, 0), "a plan writes nothing");
    terminal.send("QUARANTINE\r");
    terminal.shows("kept as copy");
    terminal.shows("u takes it back");
    assert_eq!(stored(&options), (0, 1));
    terminal.send("\x1b");
    terminal.drops("DONE");
    terminal.send("u");
    terminal.shows("type REQUEUE to run");
    terminal.send("REQUEUE\r");
    terminal.shows("waits in the outbox as seq");
    assert_eq!(stored(&options), (0, 0), "at the end of the line, with another number");
    terminal.send("\x1b");
    terminal.drops("DONE");
    terminal.send("q");
    terminal.ends_clean(0);
}
