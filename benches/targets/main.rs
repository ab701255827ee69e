//! Times that a person waits for, measured on seven years of demo orders:
//!
//! ```text
//! cargo bench --bench targets                    # creates the data first: about 15 GB, some minutes
//! DATABASE_URL=… cargo bench --bench targets     # on an existing database
//! cargo bench --bench targets -- commands        # only this part, on a small database of its own
//! cargo bench --bench targets -- messages        # outbox and inbox with 100,000 rows in each table
//! cargo bench --bench targets -- relay 20000     # only the relay, with this many messages; needs RabbitMQ
//! cargo bench --bench targets -- relay 20000 2   # the same, with two workers
//! ```
//!
//! Prints one Markdown row per figure; `docs/performance.md` has them, with the machine. Nothing here is a
//! test: figures are read, not asserted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot continue says where, and measures"
)]

mod commands;
mod console;
mod data;
mod messages;
mod relay;
mod search;

#[allow(
    dead_code,
    clippy::panic,
    reason = "the tests' own support, of which only the broker is used"
)]
#[path = "../../tests/it/support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "the tests' own support")]
#[path = "../../tests/it/support/rabbitmq.rs"]
mod rabbitmq;

use std::time::Duration;

#[tokio::main]
async fn main() {
    // `cargo bench` adds this argument; it has no use here.
    let only: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let mut numbers = only.iter().filter_map(|arg| arg.parse::<u32>().ok());
    let (size, lanes) = (numbers.next(), numbers.next());
    let only: Vec<&String> = only.iter().filter(|arg| arg.parse::<u32>().is_err()).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| name.contains(*only));
    if wanted("search") || wanted("console") {
        let database = data::ready().await;
        println!("| path | runs | p50 ms | p95 ms | max ms |");
        println!("|---|---|---|---|---|");
        if wanted("search") {
            search::run(&database).await;
        }
        if wanted("console") {
            console::run(&database);
        }
        database.close().await;
    }
    if wanted("messages") {
        Box::pin(messages::run()).await;
    }
    if wanted("relay") {
        relay::run(size.unwrap_or(20_000), lanes).await;
    }
    if wanted("commands") {
        commands::run().await;
    }
}

/// Prints a row: the median, the 95th percentile and the maximum of the runs.
fn row(path: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
    let worst = times[times.len() - 1];
    println!("| {path} | {} | {} | {} | {} |", times.len(), ms(at(50)), ms(at(95)), ms(worst));
}
