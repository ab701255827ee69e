//! The relay beside a bare publisher with confirms, of the same library, bodies, broker and number of
//! connections: messages per second.
//!
//! PostgreSQL is a private one of its own that keeps what is committed; RabbitMQ is the tests' private one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use orderscope::{
    db::migrate,
    embedded,
    relay::Broker,
    session,
    workers::relay::{self, Settings, Stats, Until},
};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::rabbitmq;

const EXCHANGE: &str = "Bench:Planted";
const QUEUE: &str = "planted";
/// Messages of one outbox: an order's usually has fewer.
const IN_ONE: u32 = 10;
/// Of a body, without the envelope: what the service's messages have.
const PADDING: usize = 700;
/// A bare publisher has so many unconfirmed messages at a time; the relay's passes have as many.
const WINDOW: usize = 1_000;
/// Each is measured so often; the best counts, the others are shown.
const RUNS: usize = 3;

/// Measures with so many messages.
pub async fn run(messages: u32) {
    let broker = rabbitmq::broker().await;
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let mut config = embedded::Config::from_env();
    config.home = config.home.join("bench-relay");
    let lease = embedded::join(&config, &|step| eprintln!("{step}")).await.unwrap();
    let mut conn = session::connect(lease.options()).await.unwrap();
    migrate::migrate(&mut conn).await.unwrap();

    let to = Broker::parse(&broker.url(), None).unwrap();
    let mut settings = Settings::new(lease.options().clone(), to);
    settings.keep = Some(Duration::from_secs(7 * 86_400));
    let lanes = settings.lanes;
    let dir = tempfile::tempdir().unwrap();
    settings.journal = Some(dir.path().join("relay.journal"));
    let (mut bare, mut own) = (vec![], vec![]);
    for _ in 0..RUNS {
        let bodies = plant(&mut conn, messages).await;
        bare.push(rate(bodies.len(), publish(&broker.url(), &bodies, lanes).await));
        assert_eq!(broker.take(QUEUE).await.len(), bodies.len());
        let begun = Instant::now();
        let (sender, _receiver) = watch::channel(Stats::default());
        let clock = Arc::new(chrono::Utc::now);
        let stop = CancellationToken::new();
        let stats = relay::run(settings.clone(), Until::Empty, clock, stop, sender).await.unwrap();
        own.push(rate(bodies.len(), begun.elapsed()));
        assert_eq!(stats.delivered + stats.recovered, bodies.len() as u64, "{stats:?}");
        assert_eq!(broker.take(QUEUE).await.len(), bodies.len());
    }
    lease.leave().await.unwrap();
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let all = |rates: &[f64]| {
        rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(", ")
    };
    let outboxes = messages.div_ceil(IN_ONE);
    println!();
    println!(
        "| {messages} messages, {outboxes} outboxes, {lanes} connections | messages/s, best | runs |"
    );
    println!("|---|---|---|");
    println!("| bare publisher with confirms | {:.0} | {} |", best(&bare), all(&bare));
    println!("| relay until empty, commits included | {:.0} | {} |", best(&own), all(&own));
    println!("| share | {:.0}% | |", best(&own) / best(&bare) * 100.0);
}

fn rate(messages: usize, time: Duration) -> f64 {
    messages as f64 / time.as_secs_f64()
}

/// Fills the outbox and tells the bodies that are in it.
async fn plant(conn: &mut PgConnection, messages: u32) -> Vec<String> {
    let outboxes = messages.div_ceil(IN_ONE);
    let sql = format!(
        "TRUNCATE public.outbox_message, public.outbox_state;
         INSERT INTO public.outbox_state (outbox_id, lock_id, created)
         SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(o), 12, '0'))::uuid,
                '00000000-0000-0000-0000-000000000000', now() - interval '1 hour' + o * interval '1 ms'
         FROM generate_series(0, {outboxes} - 1) o;
         INSERT INTO public.outbox_message (sent_time, properties, outbox_id, message_id, content_type,
             message_type, body, destination_address)
         SELECT now(), '{{\"RMQ-Exchange\": \"{EXCHANGE}\"}}',
             ('00000000-0000-4000-8000-' || lpad(to_hex(i % {outboxes}), 12, '0'))::uuid, id,
             'application/vnd.masstransit+json', 'urn:message:{EXCHANGE}',
             '{{\"messageId\": \"' || id || '\", \"destinationAddress\": \"rabbitmq://h/{EXCHANGE}\", '
             || '\"messageType\": [\"urn:message:{EXCHANGE}\"], \"message\": {{\"text\": \"' || repeat('x', {PADDING})
             || '\"}}, \"headers\": {{}}}}',
             'rabbitmq://h/{EXCHANGE}'
         FROM generate_series(1, {messages}) i, LATERAL (SELECT gen_random_uuid() AS id OFFSET i * 0) made
         ORDER BY i;
         ANALYZE public.outbox_state, public.outbox_message"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    let bodies = "SELECT body FROM public.outbox_message ORDER BY sequence_number";
    sqlx::query_scalar(bodies).fetch_all(conn).await.unwrap()
}

/// Publishes them over so many connections, each with its share, and waits for every confirm.
async fn publish(url: &str, bodies: &[String], connections: usize) -> Duration {
    let begun = Instant::now();
    let share = bodies.len().div_ceil(connections).max(1);
    let parts = bodies.chunks(share).map(|part| async move {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let properties = BasicProperties::default()
            .with_content_type("application/vnd.masstransit+json".into())
            .with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sending = futures::stream::iter(part).then(|body| {
            let (channel, properties) = (channel.clone(), properties.clone());
            async move {
                let sent = channel.basic_publish(
                    EXCHANGE.into(),
                    "".into(),
                    options,
                    body.as_bytes(),
                    properties,
                );
                sent.await
            }
        });
        sending
            .try_buffered(WINDOW)
            .try_for_each(|confirmed| async move {
                assert!(confirmed.is_ack(), "the broker did not take one");
                Ok(())
            })
            .await?;
        connection.close(200, "".into()).await
    });
    futures::future::try_join_all(parts).await.unwrap();
    begun.elapsed()
}
