//! One connection with one channel in confirm mode. Messages are sent without waiting, neither for the write
//! nor for the confirm; each gives a [`Pending`] that ends with the confirm.

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
    PublisherConfirm,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{Broker, Error};
use crate::domain::{
    address::{Address, ExchangeType, Home},
    outgoing::{Header, OutgoingMessage},
};

/// How long the broker may take to answer a declaration, or to open a channel.
const ANSWER: Duration = Duration::from_secs(10);

/// How long closing the connection may take.
const CLOSING: Duration = Duration::from_secs(2);

/// An open connection to a broker. Dropping it closes it.
pub struct Publisher {
    connection: Connection,
    channel: Channel,
    /// Declarations fail by closing their channel, which must not be the one with unconfirmed messages.
    declaring: Option<Channel>,
    declared: HashSet<Address>,
    /// Exchanges that exist, whoever declared them.
    seen: HashSet<String>,
    home: Home,
}

/// The broker's confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// In at least one queue.
    Routed,
    /// Accepted, but no queue is bound to the exchange: nobody receives it.
    Returned,
}

/// A message that was sent and is not yet confirmed.
pub struct Pending(Stage);

enum Stage {
    /// Queued to be written to the connection.
    Queued(BoxFuture<'static, Result<PublisherConfirm, lapin::Error>>),
    Written(PublisherConfirm),
    /// It ended before it was written.
    Failed(Error),
}

/// Waits for the broker's answer, but not without end: a frozen broker keeps its connections open.
async fn answered<T>(asking: impl Future<Output = T>) -> Result<T, Error> {
    let waited = tokio::time::timeout(ANSWER, asking).await;
    waited.map_err(|_| Error::Lost(format!("no answer within {} s", ANSWER.as_secs())))
}

impl Publisher {
    /// Connects, shown to the broker as `orderscope/<who>`.
    pub async fn connect(broker: &Broker, who: &str, limit: Duration) -> Result<Self, Error> {
        let place = broker.place();
        let name = format!("orderscope/{who}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let opening = async {
            let connection = Connection::connect_uri(broker.uri(), properties).await?;
            let channel = confirming(&connection).await?;
            Ok::<_, lapin::Error>((connection, channel))
        };
        let (connection, channel) = match tokio::time::timeout(limit, opening).await {
            Ok(opened) => {
                opened.map_err(|error| Error::connecting(&error, &place, broker.user()))?
            }
            Err(_) => {
                let why = format!("no answer within {} s", limit.as_secs_f32());
                return Err(Error::Unreachable { place, why });
            }
        };
        let home = broker.home();
        Ok(Self {
            connection,
            channel,
            declaring: None,
            declared: HashSet::new(),
            seen: HashSet::new(),
            home,
        })
    }

    /// What short addresses are completed with.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Whether messages can be sent: neither the connection nor the channel has ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether the broker blocks publishers at present, because its memory or disk is short. It says so when something
    /// is sent, and says when it accepts messages again.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Opens the channel again after an error that closed it. Declarations are repeated: what was declared may be what
    /// is missing.
    pub async fn reopen(&mut self) -> Result<(), Error> {
        self.declared.clear();
        self.seen.clear();
        if !self.connection.status().connected() {
            return Err(Error::Lost("the connection has ended".to_owned()));
        }
        let opened = answered(confirming(&self.connection)).await?;
        self.channel = opened.map_err(|error| Error::Lost(error.to_string()))?;
        Ok(())
    }

    /// Declares what the address says, once per connection, as the service does before it sends; and checks that the
    /// exchange exists where another one is sent to.
    pub async fn prepare(&mut self, outgoing: &OutgoingMessage) -> Result<(), Error> {
        if !self.declared.contains(&outgoing.address) {
            let done = self.declare(&outgoing.address).await;
            self.settle(done.is_ok());
            done?;
            self.declared.insert(outgoing.address.clone());
        }
        let other = outgoing.exchange != outgoing.address.exchange;
        if other && !self.seen.contains(&outgoing.exchange) {
            let done = self.look(&outgoing.exchange).await;
            self.settle(done.is_ok());
            done?;
            self.seen.insert(outgoing.exchange.clone());
        }
        Ok(())
    }

    /// A channel on which something failed is closed by the broker.
    fn settle(&mut self, well: bool) {
        if !well {
            self.declaring = None;
        }
    }

    async fn declare(&mut self, address: &Address) -> Result<(), Error> {
        let exchange = &address.exchange;
        let channel = self.declaring().await?;
        let options = ExchangeDeclareOptions {
            durable: address.durable,
            auto_delete: address.auto_delete,
            ..ExchangeDeclareOptions::default()
        };
        let mut arguments = FieldTable::default();
        if let Some(alternate) = &address.alternate {
            let value = AMQPValue::LongString(alternate.as_str().into());
            arguments.insert(short("alternate-exchange"), value);
        }
        let kind = match address.kind {
            ExchangeType::Fanout => ExchangeKind::Fanout,
            ExchangeType::Direct => ExchangeKind::Direct,
            ExchangeType::Topic => ExchangeKind::Topic,
            ExchangeType::Headers => ExchangeKind::Headers,
        };
        answered(channel.exchange_declare(short(exchange), kind, options, arguments))
            .await?
            .map_err(|error| Error::declaring(&error, "exchange", exchange))?;
        let Some(queue) = &address.queue else { return Ok(()) };
        let options = QueueDeclareOptions {
            durable: address.durable,
            auto_delete: address.auto_delete,
            ..QueueDeclareOptions::default()
        };
        answered(channel.queue_declare(short(queue), options, FieldTable::default()))
            .await?
            .map_err(|error| Error::declaring(&error, "queue", queue))?;
        let options = QueueBindOptions::default();
        let arguments = FieldTable::default();
        answered(channel.queue_bind(short(queue), short(exchange), short(""), options, arguments))
            .await?
            .map_err(|error| Error::declaring(&error, "the binding of queue", queue))
    }

    /// Publishing to an exchange that is not there closes the channel with everything unconfirmed on it.
    async fn look(&mut self, exchange: &str) -> Result<(), Error> {
        let channel = self.declaring().await?;
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let (kind, arguments) = (ExchangeKind::Fanout, FieldTable::default());
        answered(channel.exchange_declare(short(exchange), kind, options, arguments))
            .await?
            .map_err(|error| Error::declaring(&error, "exchange", exchange))
    }

    async fn declaring(&mut self) -> Result<&Channel, Error> {
        let usable = self.declaring.take().filter(|channel| channel.status().connected());
        let channel = match usable {
            Some(channel) => channel,
            None => {
                let opened = answered(self.connection.create_channel()).await?;
                opened.map_err(|error| Error::Lost(error.to_string()))?
            }
        };
        Ok(self.declaring.insert(channel))
    }

    /// Queues it and returns at once: waiting for each message's write would wake two threads and
    /// cost a system call for every one of them. What is sent is written in this order. Always mandatory, so
    /// that a message without a subscriber is noticed; the broker keeps nothing of it either way.
    pub fn send(&mut self, outgoing: OutgoingMessage) -> Pending {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let channel = self.channel.clone();
        let mut sending = async move {
            let (exchange, key) = (short(&outgoing.exchange), short(&outgoing.routing_key));
            let properties = properties(&outgoing);
            channel
                .basic_publish(exchange, key, options, outgoing.body.as_bytes(), properties)
                .await
        }
        .boxed();
        // The first poll queues it.
        Pending(match (&mut sending).now_or_never() {
            None => Stage::Queued(sending),
            Some(Ok(confirm)) => Stage::Written(confirm),
            Some(Err(error)) => Stage::Failed(Error::publishing(&error)),
        })
    }

    /// Closes the connection; does not wait long where the broker blocks it.
    pub async fn close(self) {
        let closing = self.connection.close(200, short("done"));
        let _ = tokio::time::timeout(CLOSING, closing).await;
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Pending {
    /// Waits until it, and so everything sent before it, is written to the connection.
    ///
    /// # Errors
    /// When the channel or the connection ended before.
    pub async fn written(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.write(cx)).await
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Stage::Queued(sending) = &mut self.0 {
            self.0 = match sending.poll_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(confirm)) => Stage::Written(confirm),
                Poll::Ready(Err(error)) => Stage::Failed(Error::publishing(&error)),
            };
        }
        Poll::Ready(match &self.0 {
            Stage::Failed(error) => Err(error.clone()),
            Stage::Queued(_) | Stage::Written(_) => Ok(()),
        })
    }
}

impl Future for Pending {
    type Output = Result<Confirmed, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = std::task::ready!(self.write(cx)) {
            return Poll::Ready(Err(error));
        }
        let Stage::Written(confirm) = &mut self.0 else { return Poll::Pending };
        confirm.poll_unpin(cx).map(|answer| match answer {
            Ok(Confirmation::Ack(None)) => Ok(Confirmed::Routed),
            Ok(Confirmation::Ack(Some(_))) => Ok(Confirmed::Returned),
            Ok(Confirmation::Nack(_)) => Err(Error::Nacked),
            Ok(Confirmation::NotRequested) => {
                Err(Error::Lost("the channel gives no confirms".to_owned()))
            }
            Err(error) => Err(Error::publishing(&error)),
        })
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

async fn confirming(connection: &Connection) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

fn properties(outgoing: &OutgoingMessage) -> BasicProperties {
    let mut properties = BasicProperties::default()
        .with_content_type(short(&outgoing.content_type))
        .with_delivery_mode(if outgoing.persistent { 2 } else { 1 })
        .with_message_id(short(&outgoing.message_id));
    if !outgoing.headers.is_empty() {
        let mut table = FieldTable::default();
        for (name, value) in &outgoing.headers {
            let value = match value {
                Header::Text(text) => AMQPValue::LongString(text.as_str().into()),
                Header::Number(number) => AMQPValue::LongLongInt(*number),
            };
            table.insert(short(name), value);
        }
        properties = properties.with_headers(table);
    }
    if let Some(id) = &outgoing.correlation_id {
        properties = properties.with_correlation_id(short(id));
    }
    if let Some(left) = outgoing.expiration {
        properties = properties.with_expiration(short(&left.to_string()));
    }
    if let Some(priority) = outgoing.priority {
        properties = properties.with_priority(priority);
    }
    if let Some(to) = &outgoing.reply_to {
        properties = properties.with_reply_to(short(to));
    }
    if let Some(kind) = &outgoing.kind {
        properties = properties.with_type(short(kind));
    }
    if let Some(user) = &outgoing.user_id {
        properties = properties.with_user_id(short(user));
    }
    if let Some(app) = &outgoing.app_id {
        properties = properties.with_app_id(short(app));
    }
    properties
}

/// AMQP's short string. Fields of an outgoing message are at most 255 bytes long; longer text is cut off instead of
/// ending the program.
pub(super) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_else(|_| {
        let end = (0..=255).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        ShortString::try_new(&text[..end]).unwrap_or_default()
    })
}
