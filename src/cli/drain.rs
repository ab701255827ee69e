//! `orderscope messages drain`: the relay's own pass, now and on one thing.

use uuid::Uuid;

use super::{
    Failure, Outcome,
    args::{Drain, Global},
    operation::{self, Ask},
};
use crate::{
    config::Settings,
    ops::{
        delivery::{ConsumerOutbox, Scope},
        operation::Operation,
    },
};

pub(super) async fn run(args: &Drain, global: &Global, settings: &Settings) -> Outcome {
    let drain = Operation::Drain(scope(args)?);
    let broker = operation::broker(args.amqp_url.as_deref(), settings)?;
    let ask = Ask::new(&args.run, args.output);
    operation::run(ask, Ok(broker), global, settings, async |_| Ok(drain)).await
}

fn scope(args: &Drain) -> Result<Scope, Failure> {
    let id = |text: &str, what: &str| {
        text.trim()
            .parse::<Uuid>()
            .map_err(|_| Failure::usage(format!("{what} is a whole id, not {text:?}")))
    };
    if let Some(outbox) = &args.outbox {
        return Ok(Scope::Outbox(id(outbox, "--outbox")?));
    }
    let Some(pair) = &args.consumer else { return Ok(Scope::All) };
    let Some((message, consumer)) = pair.split_once(':') else {
        return Err(Failure::usage(
            "--consumer is the message's id, a colon and the consumer's id",
        ));
    };
    let (message_id, consumer_id) = (id(message, "the message")?, id(consumer, "the consumer")?);
    Ok(Scope::ConsumerOutbox(ConsumerOutbox { message_id, consumer_id }))
}
