//! The broker's `_error` and `_skipped` queues: reading without removing, and processing one message after the other,
//! each of which stays in its queue until it is acknowledged.
//!
//! An unacknowledged message returns to its place when the channel ends, however it ends. So nothing is lost by
//! reading, and nothing when this program is killed.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
    message::Delivery,
    options::{
        BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        ExchangeDeclareOptions, QueueDeclareOptions,
    },
    types::{FieldTable, ShortString},
};

use serde_json::{Value, json};

use super::{
    Broker, Confirmed, Error,
    properties::{table, without_fault},
    publisher::short,
};
use crate::domain::fault::Raw;

/// How much of a queue is read into memory at most, and how long to wait for the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub messages: u32,
    /// Of bodies; the message that exceeds it is the last.
    pub bytes: usize,
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 1_000, bytes: 64 << 20, wait: Duration::from_secs(10) }
    }
}

/// The messages of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueContents {
    pub queue: String,
    /// None: the queue does not exist, which means that nothing has failed there yet.
    pub depth: Option<u32>,
    /// From the head on.
    pub messages: Vec<Raw>,
    /// The limit was reached before the end.
    pub cut: bool,
    /// It is a quorum queue: reading counts as a delivery there, and may count against a limit.
    pub quorum: bool,
}

/// Messages and consumers of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueStatus {
    /// Messages that are ready to be delivered.
    pub ready: u32,
    /// How many consumers it has.
    pub consumers: u32,
}

/// An open connection for the queues of one broker. Unacknowledged messages return to their queues when it ends.
#[derive(Debug)]
pub struct QueueInspector {
    connection: Connection,
    pub(super) wait: Duration,
    user: String,
}

/// The broker puts back what a closed channel held a little after it says that the channel is closed. It is waited
/// for this long: whoever looks next would not see it.
const PUT_BACK: Duration = Duration::from_secs(2);
/// How often it is asked whether it has.
const ASKED_EVERY: Duration = Duration::from_millis(10);

/// Processing of one queue, from its head on.
#[derive(Debug)]
pub struct Walk {
    /// Messages that were taken and are not settled.
    held: AtomicU32,
    queue: String,
    taking: Channel,
    sending: Channel,
    wait: Duration,
    user: String,
}

/// A message that was delivered to us and is still in its queue.
#[derive(Debug)]
pub struct TakenMessage {
    pub raw: Raw,
    delivery: Delivery,
}

impl QueueInspector {
    /// Connects, shown to the broker as `orderscope/<who>`.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses the login.
    pub async fn connect(broker: &Broker, who: &str, wait: Duration) -> Result<Self, Error> {
        let place = broker.place();
        let name = format!("orderscope/{who}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let opening = Connection::connect_uri(broker.uri(), properties);
        let user = broker.user().to_owned();
        match tokio::time::timeout(wait, opening).await {
            Ok(Ok(connection)) => Ok(Self { connection, wait, user }),
            Ok(Err(error)) => Err(Error::connecting(&error, &place, &user)),
            Err(_) => {
                let why = format!("no answer within {} s", wait.as_secs_f32());
                Err(Error::Unreachable { place, why })
            }
        }
    }

    /// The messages of a queue, without removing them: all are back in the queue when this returns.
    ///
    /// # Errors
    /// When the queue may not be read or the connection breaks.
    pub async fn look(&self, queue: &str, limits: &Limits) -> Result<QueueContents, Error> {
        let mut look = QueueContents {
            queue: queue.to_owned(),
            depth: None,
            messages: vec![],
            cut: false,
            quorum: false,
        };
        let channel = self.channel().await?;
        let Some(depth) = self.depth(&channel, queue).await? else { return Ok(look) };
        look.depth = Some(depth);
        let mut bytes = 0;
        loop {
            if look.messages.len() >= limits.messages as usize || bytes >= limits.bytes {
                look.cut = depth as usize > look.messages.len();
                break;
            }
            let Some(taken) = take(&channel, queue, self.wait).await? else { break };
            bytes += taken.raw.body.len();
            look.quorum |= taken.raw.headers.contains_key("x-delivery-count");
            look.messages.push(taken.raw);
        }
        // Closing returns every message to its place.
        within(self.wait, channel.close(200, short("done"))).await?;
        let taken = u32::try_from(look.messages.len()).unwrap_or(u32::MAX);
        if taken > 0 {
            let asking = self.channel().await?;
            put_back(&asking, queue, taken, self.wait).await;
            within(self.wait, asking.close(200, short("done"))).await?;
        }
        Ok(look)
    }

    /// Begins to process a queue; none where it does not exist.
    ///
    /// # Errors
    /// When the queue may not be read or the connection breaks.
    pub async fn walk(&self, queue: &str) -> Result<Option<Walk>, Error> {
        let taking = self.channel().await?;
        if self.depth(&taking, queue).await?.is_none() {
            return Ok(None);
        }
        let sending = self.confirmed().await?;
        let (queue, wait, user) = (queue.to_owned(), self.wait, self.user.clone());
        Ok(Some(Walk { held: AtomicU32::new(0), queue, taking, sending, wait, user }))
    }

    /// Messages and consumers of a queue; none where it does not exist.
    ///
    /// # Errors
    /// When it may not be asked for or the connection breaks.
    pub async fn status(&self, queue: &str) -> Result<Option<QueueStatus>, Error> {
        let channel = self.channel().await?;
        let found = self.passive(&channel, queue).await?;
        if found.is_some() {
            within(self.wait, channel.close(200, short("done"))).await?;
        }
        Ok(found)
    }

    /// Whether there is such a queue.
    ///
    /// # Errors
    /// When it may not be asked for or the connection breaks.
    pub async fn exists(&self, queue: &str) -> Result<bool, Error> {
        Ok(self.status(queue).await?.is_some())
    }

    /// Whether there is an exchange of that name, of whatever type.
    ///
    /// # Errors
    /// When it may not be asked for or the connection breaks.
    pub async fn has_exchange(&self, exchange: &str) -> Result<bool, Error> {
        let channel = self.channel().await?;
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Fanout;
        let asked = channel.exchange_declare(short(exchange), kind, options, FieldTable::default());
        match tokio::time::timeout(self.wait, asked).await {
            Ok(Ok(())) => {
                within(self.wait, channel.close(200, short("done"))).await?;
                Ok(true)
            }
            // Asking for one that does not exist closes the channel.
            Ok(Err(error)) => match Error::declaring(&error, "exchange", exchange) {
                Error::NoExchange { .. } => Ok(false),
                other => Err(other),
            },
            Err(_) => Err(silent(self.wait)),
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        let _ = within(self.wait, self.connection.close(200, short("done"))).await;
    }

    async fn channel(&self) -> Result<Channel, Error> {
        within(self.wait, self.connection.create_channel()).await
    }

    /// A channel to publish on.
    pub(super) async fn confirmed(&self) -> Result<Channel, Error> {
        let sending = self.channel().await?;
        within(self.wait, sending.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(sending)
    }

    /// How many messages are ready. Asking for a queue that does not exist closes the channel.
    async fn depth(&self, channel: &Channel, queue: &str) -> Result<Option<u32>, Error> {
        Ok(self.passive(channel, queue).await?.map(|standing| standing.ready))
    }

    async fn passive(&self, channel: &Channel, queue: &str) -> Result<Option<QueueStatus>, Error> {
        passive(channel, queue, self.wait).await
    }
}

/// How a queue stands. One that is not there closes the channel.
async fn passive(
    channel: &Channel,
    queue: &str,
    wait: Duration,
) -> Result<Option<QueueStatus>, Error> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(short(queue), options, FieldTable::default());
    match tokio::time::timeout(wait, asked).await {
        Ok(Ok(found)) => Ok(Some(QueueStatus {
            ready: found.message_count(),
            consumers: found.consumer_count(),
        })),
        Ok(Err(error)) => match Error::declaring(&error, "queue", queue) {
            Error::NoExchange { .. } => Ok(None),
            other => Err(other),
        },
        Err(_) => Err(silent(wait)),
    }
}

/// Waits until as many messages are ready as were given back. Where somebody consumes the queue, or another console
/// takes from it, that many may never be.
async fn put_back(channel: &Channel, queue: &str, messages: u32, wait: Duration) {
    let asking = async {
        while let Ok(Some(standing)) = passive(channel, queue, wait).await {
            if standing.ready >= messages || standing.consumers > 0 {
                return;
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    };
    if tokio::time::timeout(PUT_BACK, asking).await.is_err() {
        tracing::debug!(queue, messages, "not all that was given back is in its queue");
    }
}

impl Walk {
    /// The next message; none at the end. Messages taken before are not delivered again.
    ///
    /// # Errors
    /// When the connection breaks: everything unacknowledged returns to its queue.
    pub async fn next(&self) -> Result<Option<TakenMessage>, Error> {
        let taken = take(&self.taking, &self.queue, self.wait).await?;
        self.held.fetch_add(u32::from(taken.is_some()), Ordering::Relaxed);
        Ok(taken)
    }

    /// Publishes a message to the queue it came from, and waits for the confirm. Body and properties are
    /// unchanged but for the headers about the failure. It stays in the queue it was taken from
    /// until it is settled.
    ///
    /// # Errors
    /// When the broker refuses it or the connection breaks; the message is still in its queue, and if the
    /// confirm was lost, perhaps in the other one as well.
    pub async fn send_home(&self, taken: &TakenMessage, home: &str) -> Result<Confirmed, Error> {
        let properties = without_fault(&taken.delivery.properties, &self.user);
        publish(&self.sending, home, &taken.delivery.data, properties, self.wait).await
    }

    /// Acknowledges a message: a copy is in the queue where it belongs.
    ///
    /// # Errors
    /// When the connection broke before: it is still there.
    pub async fn settle(&self, taken: TakenMessage) -> Result<(), Error> {
        let settling = taken.delivery.acker.ack(BasicAckOptions::default());
        if within(self.wait, settling).await? {
            self.held.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        } else {
            Err(Error::Lost("the channel ended before the message was settled".to_owned()))
        }
    }

    /// Returns unacknowledged messages to the queue.
    ///
    /// # Errors
    /// When the connection breaks; the broker returns them then.
    pub async fn close(self) -> Result<(), Error> {
        within(self.wait, self.taking.close(200, short("done"))).await?;
        let held = self.held.load(Ordering::Relaxed);
        if held > 0 {
            put_back(&self.sending, &self.queue, held, self.wait).await;
        }
        within(self.wait, self.sending.close(200, short("done"))).await
    }
}

impl TakenMessage {
    /// All AMQP properties that are set, for a copy that can be put back.
    #[must_use]
    pub fn properties(&self) -> Value {
        let properties = &self.delivery.properties;
        let text =
            |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
        let all = json!({
            "content_type": text(properties.content_type()),
            "content_encoding": text(properties.content_encoding()),
            "delivery_mode": properties.delivery_mode(),
            "priority": properties.priority(),
            "correlation_id": text(properties.correlation_id()),
            "reply_to": text(properties.reply_to()),
            "expiration": text(properties.expiration()),
            "message_id": text(properties.message_id()),
            "timestamp": properties.timestamp(),
            "type": text(properties.kind()),
            "user_id": text(properties.user_id()),
            "app_id": text(properties.app_id()),
        });
        match all {
            Value::Object(all) => all.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            other => other,
        }
    }
}

/// Publishes through the default exchange, to this queue and to no other subscriber, and waits for the confirm.
pub(super) async fn publish(
    sending: &Channel,
    queue: &str,
    body: &[u8],
    properties: BasicProperties,
    wait: Duration,
) -> Result<Confirmed, Error> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sending = sending.basic_publish(short(""), short(queue), options, body, properties);
    let sent = async { sending.await?.await };
    match tokio::time::timeout(wait, sent).await {
        Ok(Ok(Confirmation::Ack(None))) => Ok(Confirmed::Routed),
        Ok(Ok(Confirmation::Ack(Some(_)))) => Ok(Confirmed::Returned),
        Ok(Ok(Confirmation::Nack(_))) => Err(Error::Nacked),
        Ok(Ok(Confirmation::NotRequested)) => {
            Err(Error::Lost("the channel gives no confirms".to_owned()))
        }
        Ok(Err(error)) => Err(Error::publishing(&error)),
        Err(_) => Err(silent(wait)),
    }
}

/// Fetches the message at the head without acknowledging it.
async fn take(
    channel: &Channel,
    queue: &str,
    wait: Duration,
) -> Result<Option<TakenMessage>, Error> {
    let got = within(wait, channel.basic_get(short(queue), BasicGetOptions::default())).await?;
    Ok(got.map(|got| TakenMessage { raw: raw(queue, &got.delivery), delivery: got.delivery }))
}

/// A message as it is read.
pub(super) fn raw(queue: &str, delivery: &Delivery) -> Raw {
    let properties = &delivery.properties;
    let text = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    Raw {
        queue: queue.to_owned(),
        message_id: text(properties.message_id()),
        content_type: text(properties.content_type()),
        headers: properties.headers().as_ref().map(table).unwrap_or_default(),
        body: delivery.data.clone(),
    }
}

pub(super) async fn within<T>(
    wait: Duration,
    work: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(wait, work).await {
        Ok(done) => done.map_err(|error| Error::declaring(&error, "queue", "")),
        Err(_) => Err(silent(wait)),
    }
}

pub(super) fn silent(wait: Duration) -> Error {
    Error::Lost(format!("no answer within {} s", wait.as_secs_f32()))
}
