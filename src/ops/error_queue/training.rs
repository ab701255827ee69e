//! Faulty messages put into error queues on purpose, to practise on, and taken out again: these and no others.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    domain::{
        address::{Address, InvalidAddress},
        envelope::CONTENT_TYPE,
        fault::Fault,
        id::MessageId,
        outgoing::{Header, OutgoingMessage},
    },
    relay::{self, Broker, Confirmed, Publisher, QueueInspector},
};

/// How long the broker is waited for, each time.
const WAIT: Duration = Duration::from_secs(10);

/// A message as MassTransit leaves it in an error queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planting {
    /// The queue it seems to come from.
    pub home: String,
    pub message: MessageId,
    pub headers: Vec<(String, Header)>,
    pub body: String,
}

/// Why nothing, or not everything, was planted or taken out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "somebody consumes from queue {0} of this broker: training is not for a broker that a service uses; name \
         another virtual host"
    )]
    InUse(String),
    #[error(
        "this broker has no queue {0}, so it is not the one that was planted into: name that one (relay.broker, \
         ORDERSCOPE_AMQP_URL or --amqp-url)"
    )]
    Elsewhere(String),
    #[error("the name of a queue cannot be used: {0}")]
    Name(#[from] InvalidAddress),
    #[error(transparent)]
    Broker(#[from] relay::Error),
}

impl Error {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn can_pass(&self) -> bool {
        use relay::Error as R;
        matches!(self, Self::Broker(error) if !matches!(error, R::Login { .. } | R::Refused { .. }))
    }
}

fn error_queue(home: &str) -> String {
    format!("{home}_error")
}

/// Sees that nobody consumes from these queues or their error queues, and declares all of them as MassTransit does: the
/// queues too, or a replay would have nowhere to go. A broker without them is another one, then.
///
/// # Errors
/// When somebody consumes, or the broker does not have it so.
pub async fn prepare(broker: &Broker, homes: &[&str]) -> Result<(), Error> {
    unused(broker, homes).await?;
    let mut publisher = Publisher::connect(broker, "training", WAIT).await?;
    let mut done = Ok(());
    for queue in homes.iter().flat_map(|home| [(*home).to_owned(), error_queue(home)]) {
        done = match Address::parse(&format!("queue:{queue}")) {
            Ok(address) => publisher.prepare(&empty(address)).await.map_err(Error::from),
            Err(error) => Err(error.into()),
        };
        if done.is_err() {
            break;
        }
    }
    publisher.close().await;
    done
}

async fn unused(broker: &Broker, homes: &[&str]) -> Result<(), Error> {
    let inspector = QueueInspector::connect(broker, "training", WAIT).await?;
    let mut found = Ok(());
    for queue in homes.iter().flat_map(|home| [(*home).to_owned(), error_queue(home)]) {
        found = match inspector.status(&queue).await {
            Ok(Some(standing)) if standing.consumers > 0 => Err(Error::InUse(queue)),
            Ok(_) => continue,
            Err(error) => Err(error.into()),
        };
        break;
    }
    inspector.close().await;
    found
}

/// Puts messages into error queues, each confirmed.
///
/// # Errors
/// When the broker does not take one; those before it are there then.
pub async fn plant(broker: &Broker, messages: &[Planting]) -> Result<(), Error> {
    let mut publisher = Publisher::connect(broker, "training", WAIT).await?;
    let planted = async {
        for message in messages {
            let outgoing = outgoing(message)?;
            publisher.prepare(&outgoing).await?;
            let exchange = outgoing.exchange.clone();
            match tokio::time::timeout(WAIT, publisher.send(outgoing)).await {
                Ok(Ok(Confirmed::Routed)) => {}
                Ok(Ok(Confirmed::Returned)) => {
                    let why = format!("queue {exchange} took no message");
                    return Err(relay::Error::Lost(why).into());
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    let why = format!("no confirm within {} s", WAIT.as_secs());
                    return Err(relay::Error::Lost(why).into());
                }
            }
        }
        Ok(())
    }
    .await;
    publisher.close().await;
    planted
}

/// Takes the messages with these ids out of the error queues, and out of the queues themselves, where a replay put
/// them; tells how many there were. All others stay where they are.
///
/// # Errors
/// When the broker does not answer, or has no such error queue.
pub async fn remove(
    broker: &Broker,
    homes: &[&str],
    messages: &BTreeSet<MessageId>,
) -> Result<u64, Error> {
    let inspector = QueueInspector::connect(broker, "training", WAIT).await?;
    let removed = async {
        let mut removed = 0;
        for home in homes {
            let errors = error_queue(home);
            if !inspector.exists(&errors).await? {
                return Err(Error::Elsewhere(errors));
            }
            removed += take(&inspector, &errors, messages).await?;
            removed += take(&inspector, home, messages).await?;
        }
        Ok(removed)
    }
    .await;
    inspector.close().await;
    removed
}

async fn take(
    inspector: &QueueInspector,
    queue: &str,
    messages: &BTreeSet<MessageId>,
) -> Result<u64, relay::Error> {
    let Some(walk) = inspector.walk(queue).await? else { return Ok(0) };
    let mut removed = 0;
    while let Some(taken) = walk.next().await? {
        if Fault::read(&taken.raw).message.is_some_and(|id| messages.contains(&id)) {
            walk.settle(taken).await?;
            removed += 1;
        }
    }
    // Gives back all others, each to its place.
    walk.close().await?;
    Ok(removed)
}

fn outgoing(message: &Planting) -> Result<OutgoingMessage, InvalidAddress> {
    let address = Address::parse(&format!("queue:{}", error_queue(&message.home)))?;
    Ok(OutgoingMessage {
        message_id: message.message.0.to_string(),
        headers: message.headers.clone(),
        body: message.body.clone(),
        ..empty(address)
    })
}

/// A message without anything in it.
fn empty(address: Address) -> OutgoingMessage {
    OutgoingMessage {
        exchange: address.exchange.clone(),
        address,
        routing_key: String::new(),
        mandatory: true,
        persistent: true,
        content_type: CONTENT_TYPE.to_owned(),
        message_id: String::new(),
        correlation_id: None,
        expiration: None,
        priority: None,
        app_id: None,
        reply_to: None,
        kind: None,
        user_id: None,
        headers: vec![],
        body: String::new(),
    }
}
