//! Every operation that changes a database of our own, by a login that has the rights which docs/audit.md names for it,
//! and no others.

use orderscope::ops::operation::{Kind, OPERATIONS, Spec};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{
    support::postgres::managed,
    verbs::{Done, Home},
};

const BY: [&str; 5] = ["--operator", "mai", "--reason", "INC-7", "--yes"];

/// Reading, and the audit log.
const BASE: &str = "GRANT USAGE ON SCHEMA public, orderscope TO ROLE;
    GRANT SELECT ON ALL TABLES IN SCHEMA public, orderscope TO ROLE;
    GRANT INSERT ON orderscope.audit, orderscope.audit_values, orderscope.audit_chains,
        orderscope.audit_anchors, orderscope.audit_anchor_heads TO ROLE;
    GRANT UPDATE (position, hash) ON orderscope.audit_chains TO ROLE;
    GRANT USAGE ON SEQUENCE orderscope.audit_number TO ROLE;";

async fn sql(options: &PgConnectOptions, text: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(text.to_owned()))
        .await
        .unwrap_or_else(|why| panic!("{why}: {text}"));
}

fn grants(spec: &Spec) -> String {
    let grant = |(privileges, on): &(&str, &str)| {
        let what = if *privileges == "USAGE" { "SEQUENCE " } else { "" };
        format!("GRANT {privileges} ON {what}{on} TO ROLE;")
    };
    spec.rights.iter().map(grant).collect()
}

/// What every operation can be about, made by the owner: orders, outboxes, inbox rows, a copy, an operation that is
/// paused.
struct Scene {
    options: PgConnectOptions,
    buyer: String,
    order: String,
    deleted: String,
    copy: String,
}

impl Scene {
    async fn new() -> Self {
        let options = managed().await;
        let home = Home::on(&options);
        let done = |words: &[&str]| home.json(&[words, &BY].concat(), 0);
        let target = |words: &[&str]| done(words)["target"].as_str().unwrap().to_owned();
        let buyer = target(&["buyer", "create", "--name", "Le Thi"]);
        let line = format!("{}:2:14.20", Uuid::from_u128(1));
        let create = ["order", "create", "--buyer", &buyer, "--line", &line];
        let (order, deleted) = (target(&create), target(&create));
        target(&create);
        done(&["order", "delete", &deleted]);
        done(&["messages", "hold", &outbox(&options, 2).await]);
        done(&["messages", "quarantine", "3"]);
        let copy = home.json(&["messages", "list", "--view", "kept"], 0)[0]["copy"].to_string();
        let (id, nil) = (Uuid::now_v7(), Uuid::nil());
        let old = format!(
            "INSERT INTO outbox_state (outbox_id, lock_id, created, delivered)
                 VALUES ('{id}', '{nil}', now(), now() - interval '40 days');
             INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body)
                 VALUES (now(), '{id}', gen_random_uuid(), 'application/json', 'urn:message:A:B', '{{}}');
             INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
                 VALUES (gen_random_uuid(), gen_random_uuid(), '{nil}', now() - interval '50 days', 3, now(),
                         now() - interval '40 days'),
                        (gen_random_uuid(), gen_random_uuid(), '{nil}', now() - interval '30 days', 0, NULL, NULL),
                        ('{id}', '{id}', '{nil}', now() - interval '50 days', 4, now(), now() - interval '40 days');
             INSERT INTO outbox_message (sent_time, inbox_message_id, inbox_consumer_id, message_id, content_type,
                     message_type, body)
                 VALUES (now(), '{id}', '{id}', gen_random_uuid(), 'application/json', 'urn:message:A:B', '{{}}')"
        );
        sql(&options, &old).await;
        Self { options, buyer, order, deleted, copy }
    }

    /// The verb of an operation here; none for what needs a broker, ownership, or another operation.
    async fn words(&self, kind: Kind) -> Option<Vec<String>> {
        let Self { buyer, order, deleted, copy, .. } = self;
        let line = format!("{}:1:9.99", Uuid::from_u128(2));
        let to =
            "rabbitmq://rabbitmq/BookWorm.Contracts:UserCheckedOutIntegrationEvent?temporary=true";
        let (free, held) = (outbox(&self.options, 1).await, outbox(&self.options, 2).await);
        let words: &[&str] = match kind {
            Kind::CompleteOrder => &["order", "complete", order],
            Kind::CancelOrder => &["order", "cancel", order],
            Kind::DeleteOrder => &["order", "delete", order],
            Kind::RestoreOrder => &["order", "restore", deleted],
            Kind::UpdateBuyerAddress => &["buyer", "address", buyer, "--city", "Hue"],
            Kind::CreateOrder => &["order", "create", "--buyer", buyer, "--line", &line],
            Kind::CreateBuyer => &["buyer", "create", "--name", "Mai"],
            Kind::RepairMessage => &["messages", "repair", "1", "--destination", to],
            Kind::QuarantineMessage => &["messages", "quarantine", "2"],
            Kind::HoldOutbox => &["messages", "hold", &free],
            Kind::ReleaseOutbox => &["messages", "release", &held],
            Kind::RequeueMessage => &["messages", "requeue", copy],
            Kind::PurgeOutbox => &["messages", "purge"],
            Kind::PurgeConsumed => &["messages", "purge-consumed"],
            Kind::PurgeInbox => &["inbox", "purge"],
            Kind::RemoveFailedInbox => &["inbox", "remove-failed"],
            _ => return None,
        };
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }
}

async fn outbox(options: &PgConnectOptions, sequence: i64) -> String {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    let id = "SELECT outbox_id::text FROM outbox_message WHERE sequence_number = $1";
    sqlx::query_scalar(id).bind(sequence).fetch_one(&mut conn).await.unwrap()
}

async fn run(scene: &Scene, words: &[String], grants: &str) -> Done {
    let role = format!("least_{}", Uuid::new_v4().simple());
    let make =
        format!("CREATE ROLE {role} LOGIN; {BASE} {grants}").replace("ROLE;", &format!("{role};"));
    sql(&scene.options, &make).await;
    let home = Home::on(&scene.options.clone().username(&role));
    let words: Vec<&str> = words.iter().map(String::as_str).chain(BY).collect();
    home.run(&words)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_runs_with_the_rights_that_are_documented_for_it() {
    let (mut ran, mut wrong) = (0, vec![]);
    for spec in OPERATIONS.iter().filter(|spec| !spec.rights.is_empty()) {
        let scene = Scene::new().await;
        let Some(words) = scene.words(spec.kind).await else { continue };
        // Without them it is refused in words, with nothing half done.
        let refused = run(&scene, &words, "").await;
        let is_told =
            ["lacks", "not permitted", "may not"].iter().any(|words| refused.err.contains(words));
        if refused.code != 4 || !is_told {
            wrong.push(format!("{} without rights: {refused:?}", spec.name));
        }
        let done = run(&scene, &words, &grants(spec)).await;
        if done.code != 0 {
            wrong.push(format!("{}: {done:?}", spec.name));
        }
        ran += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(ran, 16);
}
