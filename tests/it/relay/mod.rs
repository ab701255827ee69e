//! The relay against a real RabbitMQ: order, nothing lost, nothing doubled without a fault, faults told.

mod blocked;
mod bounds;
mod delivery;
mod drain;
mod faults;
mod half;
mod ownership;
mod poison;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use orderscope::workers::relay::{self, Error, Settings, Stats, Until};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::rabbitmq::{Broker, Taken};

/// The exchange and the queue of planted messages.
pub const EXCHANGE: &str = "Tests:Planted";
pub const QUEUE: &str = "planted";

/// Settings that try again at once and do not wait between passes.
fn settings(database: &PgConnectOptions, broker: &Broker) -> Settings {
    let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
    Settings {
        keep: Some(Duration::from_secs(7 * 86_400)),
        retry: (Duration::from_millis(50), Duration::from_millis(400)),
        poll: Duration::from_millis(20),
        ..Settings::new(database.clone(), to)
    }
}

async fn until_empty(settings: Settings) -> Result<Stats, Error> {
    let (sender, _receiver) = watch::channel(Stats::default());
    let clock = Arc::new(chrono::Utc::now);
    let work = relay::run(settings, Until::Empty, clock, CancellationToken::new(), sender);
    tokio::time::timeout(Duration::from_secs(240), work).await.expect("it never became empty")
}

/// So many outboxes with so many messages each, written alternately. Message `i` of outbox `o` has an id
/// that tells both.
pub async fn plant(database: &PgConnectOptions, outboxes: u32, messages: u32) {
    plant_in("public", database, outboxes, messages).await;
}

/// The same in a schema, as a statement names it.
pub async fn plant_in(schema: &str, database: &PgConnectOptions, outboxes: u32, messages: u32) {
    let mut conn = PgConnection::connect_with(database).await.unwrap();
    let sql = format!(
        "INSERT INTO {schema}.outbox_state (outbox_id, lock_id, created)
         SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(o), 12, '0'))::uuid,
                '00000000-0000-0000-0000-000000000000', now() - interval '1 hour' + o * interval '1 ms'
         FROM generate_series(1, {outboxes}) o;
         INSERT INTO {schema}.outbox_message (sent_time, properties, outbox_id, message_id, content_type,
             message_type, body, destination_address)
         SELECT now(), '{{\"RMQ-Exchange\": \"{EXCHANGE}\"}}',
             ('00000000-0000-4000-8000-' || lpad(to_hex(o), 12, '0'))::uuid, id,
             'application/vnd.masstransit+json', 'urn:message:{EXCHANGE}',
             '{{\"messageId\": \"' || id || '\", \"destinationAddress\": \"rabbitmq://h/{EXCHANGE}\", '
             || '\"messageType\": [\"urn:message:{EXCHANGE}\"], \"message\": {{}}, \"headers\": {{}}}}',
             'rabbitmq://h/{EXCHANGE}'
         FROM generate_series(1, {messages}) i, generate_series(1, {outboxes}) o,
              LATERAL (SELECT ('11111111-' || lpad(to_hex(i), 4, '0') || '-4000-8000-'
                       || lpad(to_hex(o), 12, '0'))::uuid AS id) made
         ORDER BY i, o;
         ANALYZE {schema}.outbox_state, {schema}.outbox_message"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    conn.close().await.unwrap();
}

pub async fn count(database: &PgConnectOptions, sql: &'static str) -> i64 {
    let mut conn = PgConnection::connect_with(database).await.unwrap();
    let count = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    count
}

/// On a busy machine a confirm may come too late for its pass; it then counts in a later one.
fn recorded(stats: &Stats) -> u64 {
    stats.delivered + stats.recovered
}

pub const PENDING: &str = "SELECT count(*) FROM public.outbox_message m JOIN public.outbox_state s
    USING (outbox_id) WHERE s.delivered IS NULL
    AND m.sequence_number > coalesce(s.last_sequence_number, 0)";

/// All of them arrived, each outbox in order; how many came more than once.
pub fn arrived(taken: &[Taken], outboxes: u32, messages: u32) -> usize {
    let mut seen: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    for message in taken {
        let id = message.id();
        let number = u32::from_str_radix(&id[9..13], 16).unwrap();
        let outbox = u32::from_str_radix(&id[24..36], 16).unwrap();
        if seen.insert((outbox, number)) {
            let before = last.insert(outbox, number).unwrap_or(0);
            assert_eq!(before + 1, number, "outbox {outbox} is out of order");
        }
    }
    assert_eq!(seen.len(), (outboxes * messages) as usize, "some were lost");
    taken.len() - seen.len()
}

/// Records that the database belongs to its service.
pub async fn attach(database: &PgConnectOptions) {
    let mut conn = PgConnection::connect_with(database).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    orderscope::db::ownership::attach(&mut tx, None).await.unwrap();
    tx.commit().await.unwrap();
    conn.close().await.unwrap();
}

fn send_log(dir: &Path) -> PathBuf {
    dir.join("relay.journal")
}
