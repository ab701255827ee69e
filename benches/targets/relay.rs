//! The relay compared with bare publishers with confirms: messages per second with the same library, bodies, broker
//! and number of connections. One bare publisher waits for each message to be written before it sends the
//! next, as the library's own examples do; the other pipelines its whole window, as the relay does.
//!
//! PostgreSQL is a private server with durable commits; RabbitMQ is the tests' private one.

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
/// Messages per outbox; an order's usually has fewer.
const IN_ONE: u32 = 10;
/// Size of a body without the envelope, as in the service's messages.
const PADDING: usize = 700;
/// Unconfirmed messages of a bare publisher at a time; the same as in a pass of the relay.
const WINDOW: usize = 1_000;
/// Runs of each, alternating; the median counts, and all are printed.
const RUNS: usize = 5;

/// Measures with this many messages and workers; the relay's default number if none is given.
pub async fn run(messages: u32, lanes: Option<u32>) {
    let broker = rabbitmq::broker().await;
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let mut config = embedded::Config::from_env();
    config.home = config.home.join("bench-relay");
    let lease = embedded::join(&config, &|step| eprintln!("{step}")).await.unwrap();
    let mut conn = session::connect(&lease.options().into()).await.unwrap();
    migrate::migrate(&mut conn).await.unwrap();

    let to = Broker::parse(&broker.url(), None).unwrap();
    let mut settings = Settings::new(lease.options().clone(), to);
    settings.keep = Some(Duration::from_secs(7 * 86_400));
    let lanes = lanes.map_or(settings.workers, |lanes| lanes as usize);
    settings.workers = lanes;
    let dir = tempfile::tempdir().unwrap();
    settings.send_log = Some(dir.path().join("relay.journal"));
    let (mut bare, mut pipelined_rates, mut own) = (vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let bodies = plant(&mut conn, messages).await;
        for (rates, pipelined) in [(&mut bare, false), (&mut pipelined_rates, true)] {
            rates.push(rate(bodies.len(), publish(&broker.url(), &bodies, lanes, pipelined).await));
            assert_eq!(broker.take(QUEUE).await.len(), bodies.len());
        }
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
    let middle = |rates: &[f64]| {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let share = |of: &[f64]| {
        let shares: Vec<f64> = own.iter().zip(of).map(|(own, of)| own / of * 100.0).collect();
        let all: Vec<String> = shares.iter().map(|share| format!("{share:.0}%")).collect();
        format!("{:.0}% | {}", middle(&shares), all.join(", "))
    };
    let all = |rates: &[f64]| {
        rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(", ")
    };
    let outboxes = messages.div_ceil(IN_ONE);
    println!();
    println!(
        "| {messages} messages, {outboxes} outboxes, {lanes} connections | messages/s, median | runs |"
    );
    println!("|---|---|---|");
    for (name, rates) in [
        ("bare publisher with confirms", &bare),
        ("the same, with its window pipelined", &pipelined_rates),
        ("relay until empty, commits included", &own),
    ] {
        println!("| {name} | {:.0} | {} |", middle(rates), all(rates));
    }
    println!("| relay's share of the first | {} |", share(&bare));
    println!("| relay's share of the second | {} |", share(&pipelined_rates));
}

fn rate(messages: usize, time: Duration) -> f64 {
    messages as f64 / time.as_secs_f64()
}

/// Fills the outbox and returns the bodies in it.
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

/// Publishes the bodies over several connections, each with its share, and waits for every confirm; if `pipelined`,
/// without waiting for each write.
async fn publish(url: &str, bodies: &[String], connections: usize, pipelined: bool) -> Duration {
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
        let send = |body: &'_ String| {
            let (channel, properties, body) = (channel.clone(), properties.clone(), body.clone());
            async move {
                let (exchange, key) = (EXCHANGE.into(), "".into());
                channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await
            }
        };
        let taken = |confirmed: lapin::Confirmation| async move {
            assert!(confirmed.is_ack(), "the broker rejected a message");
            Ok(())
        };
        let bodies = futures::stream::iter(part);
        if pipelined {
            let sending = bodies.map(|body| async { send(body).await?.await });
            sending.buffered(WINDOW).try_for_each(taken).await?;
        } else {
            bodies.then(send).try_buffered(WINDOW).try_for_each(taken).await?;
        }
        connection.close(200, "".into()).await
    });
    futures::future::try_join_all(parts).await.unwrap();
    begun.elapsed()
}
