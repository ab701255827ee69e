//! The verbs that change messages by hand, run as a person or a script runs them.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{
    support::{
        fixture::{self, Schema},
        postgres::{managed, pg18},
    },
    verbs::Home,
};

const BY: [&str; 5] = ["--operator", "mai", "--reason", "INC-7", "--yes"];
const THERE: &str = "rabbitmq://rabbitmq/BookWorm.Contracts:UserCheckedOutIntegrationEvent";

fn done(home: &Home, verb: &[&str]) -> Value {
    home.json(&[verb, &BY].concat(), 0)
}

async fn count(options: &PgConnectOptions, sql: &'static str) -> i64 {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
}

/// The service's database with a poisonous head, attached.
async fn service() -> (PgConnectOptions, Home) {
    let options = fixture::own(pg18(), Schema::Marten9, "6-bad-destination").await;
    let home = Home::on(&options);
    let attach = ["attach", "--publisher", "service", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    (options, home)
}

#[tokio::test]
async fn the_head_is_quarantined_listed_and_requeued() {
    let (options, home) = service().await;
    let dry = home.run(&["messages", "quarantine", "89", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.out.contains("PLAN  quarantine message 89") && dry.out.contains("preconditions"));
    assert!(
        dry.out.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) == 80),
        "{}",
        dry.out
    );
    let plan = home.json(&["messages", "quarantine", "89", "--dry-run"], 0);
    assert_eq!(
        (&plan["command"], &plan["word"]),
        (&json!("QuarantineMessage"), &json!("QUARANTINE"))
    );
    assert_eq!(count(&options, "SELECT count(*) FROM orderscope.kept_messages").await, 0);
    // Nobody says why, or there is nobody to ask.
    home.refused(&["messages", "quarantine", "89", "--yes"], 2, &["--reason is needed"]);
    home.refused(&["messages", "quarantine", "89", "--reason", "x"], 4, &["no terminal"]);
    let first = done(&home, &["messages", "quarantine", "89", "--idempotency-key", "INC-7"]);
    assert_eq!((&first["target"], &first["repeated"]), (&json!("seq 89"), &json!(false)));
    let again = done(&home, &["messages", "quarantine", "89", "--idempotency-key", "INC-7"]);
    assert_eq!((&again["audit"], &again["repeated"]), (&first["audit"], &json!(true)));
    home.refused(
        &[&["messages", "quarantine", "89"][..], &BY].concat(),
        1,
        &["delivered or purged"],
    );
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    let copy = copies[0]["copy"].as_i64().unwrap_or_else(|| panic!("{copies}")).to_string();
    assert_eq!(copies[0]["cause"], "quarantined");
    let message = copies[0]["message_id"].as_str().unwrap();
    // By its number or by the message's id.
    let back = done(&home, &["messages", "requeue", message]);
    assert!(back["told"].as_str().unwrap().contains("waits in the outbox"), "{back}");
    let twice = [&["messages", "requeue", &copy][..], &BY].concat();
    home.refused(&twice, 4, &["was put back already"]);
}

#[tokio::test]
async fn a_copy_is_repaired_before_it_goes_back() {
    let (options, home) = service().await;
    done(&home, &["messages", "quarantine", "89"]);
    let copy = home.json(&["messages", "list", "--view", "kept"], 0)[0]["copy"].to_string();
    // As it is it would block again.
    let requeue = |more: &[&str]| {
        let words = [&["messages", "requeue", &copy], more, &BY].concat();
        home.run(&words)
    };
    let bad = requeue(&["--destination", "nowhere"]);
    assert!(bad.code == 4 && bad.err.contains("the destination would not do"), "{bad:?}");
    let plan = requeue(&["--destination", THERE, "--dry-run"]);
    assert!(plan.out.contains("with other texts"), "{plan:?}");
    assert!(plan.out.contains("--destination"), "the same command is told: {plan:?}");
    let back = requeue(&["--destination", THERE]);
    assert_eq!(back.code, 0, "{back:?}");
    let now = "SELECT count(*) FROM outbox_message
               WHERE destination_address LIKE 'rabbitmq://rabbitmq/BookWorm%' AND sequence_number > 89
                 AND message_id = (SELECT message_id FROM orderscope.kept_messages)";
    assert_eq!(count(&options, now).await, 1);
    // The copy is as it was.
    let copy = "SELECT count(*) FROM orderscope.kept_messages
                WHERE rest->>'destination_address' LIKE '%bad exchange%' AND returned_at IS NOT NULL";
    assert_eq!(count(&options, copy).await, 1);
}

#[tokio::test]
async fn a_repair_from_the_command_line() {
    let (options, home) = service().await;
    let repair = |more: &[&str]| {
        let words = [&["messages", "repair", "89"], more, &BY].concat();
        home.run(&words)
    };
    assert_eq!(repair(&[]).code, 2);
    let bad = repair(&["--destination", "nowhere"]);
    assert!(bad.code == 4 && bad.err.contains("the destination would not do"), "{bad:?}");
    // The message says itself where it goes, and a plan says where an exchange is another message's.
    let shown = home.json(&["messages", "show", "89"], 0);
    assert_eq!(
        shown["names_itself"],
        THERE.replace("//rabbitmq/", "//127.0.0.1:55672/"),
        "{shown}"
    );
    let other = THERE.replace("UserCheckedOut", "OrderStatusChangedToCancel");
    let plan = repair(&["--destination", &other, "--dry-run"]);
    assert!(plan.out.contains("another message type; this message is"), "{plan:?}");
    let plan = repair(&["--destination", THERE, "--dry-run"]);
    assert!(plan.out.contains("the message itself names this destination"), "{plan:?}");
    let fine = repair(&["--destination", THERE, "--headers", "{}"]);
    assert_eq!(fine.code, 0, "{fine:?}");
    let now = "SELECT count(*) FROM outbox_message WHERE sequence_number = 89 AND headers = '{}'
               AND destination_address LIKE 'rabbitmq://rabbitmq/BookWorm%'";
    assert_eq!(count(&options, now).await, 1);
    let held = home.run(&[&["messages", "hold", "89"][..], &BY].concat());
    assert!(held.code == 4 && held.err.contains("MassTransit knows no pause"), "{held:?}");
}

#[tokio::test]
async fn a_message_from_a_file_is_held_released_and_taken_out_again() {
    let options = managed().await;
    let home = Home::on(&options);
    let id = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f0007";
    let message = json!({
        "message_type": "urn:message:A:B",
        "destination_address": THERE,
        "body": { "messageId": id, "messageType": ["urn:message:A:B"], "message": {} },
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), message.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    let made = done(&home, &["messages", "requeue", "--json", path]);
    assert_eq!(made["target"], id);
    let held = done(&home, &["messages", "hold", id]);
    let listed = home.json(&["messages", "list", "--view", "held"], 0);
    assert_eq!((&listed[0]["outbox"], &listed[0]["by"]), (&held["target"], &json!("mai")));
    done(&home, &["messages", "release", id]);
    done(&home, &["messages", "quarantine", id]);
    assert_eq!(count(&options, "SELECT count(*) FROM outbox_state").await, 0);
    std::fs::write(file.path(), "{}").unwrap();
    let broken = [&["messages", "requeue", "--json", path][..], &BY].concat();
    home.refused(&broken, 2, &["lacks a body"]);
}
