//! One connection with one channel in confirm mode. Messages are sent without waiting; each gives a
//! [`Pending`] that ends with the broker's confirm.

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

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
    parcel::{Header, Parcel},
};

/// An open connection to a broker. Dropping it closes it.
pub struct Publisher {
    connection: Connection,
    channel: Channel,
    /// Declarations fail by closing their channel, which must not be the one with unconfirmed messages.
    declaring: Option<Channel>,
    known: HashSet<Known>,
    home: Home,
}

#[derive(PartialEq, Eq, Hash)]
enum Known {
    Declared(Address),
    Exists(String),
}

/// What the broker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// In at least one queue.
    Routed,
    /// Taken, but no queue is bound to the exchange: nobody will ever get it.
    Returned,
}

/// A message that was sent and is not yet confirmed.
pub struct Pending(PublisherConfirm);

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
        Ok(Self { connection, channel, declaring: None, known: HashSet::new(), home })
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

    /// Opens the channel again after an error that closed it. What was declared is looked at again: it
    /// may be what is missing.
    pub async fn reopen(&mut self) -> Result<(), Error> {
        self.known.clear();
        if !self.connection.status().connected() {
            return Err(Error::Lost("the connection has ended".to_owned()));
        }
        let opened = confirming(&self.connection).await;
        self.channel = opened.map_err(|error| Error::Lost(error.to_string()))?;
        Ok(())
    }

    /// Declares what the address says, as the service does before it sends there, once per connection; and
    /// sees that the exchange is there where another one is sent to.
    pub async fn prepare(&mut self, parcel: &Parcel) -> Result<(), Error> {
        if !self.known.contains(&Known::Declared(parcel.address.clone())) {
            let done = self.declare(&parcel.address).await;
            self.settle(done.is_ok());
            done?;
            self.known.insert(Known::Declared(parcel.address.clone()));
        }
        let other = parcel.exchange != parcel.address.exchange;
        if other && !self.known.contains(&Known::Exists(parcel.exchange.clone())) {
            let done = self.look(&parcel.exchange).await;
            self.settle(done.is_ok());
            done?;
            self.known.insert(Known::Exists(parcel.exchange.clone()));
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
        channel
            .exchange_declare(short(exchange), kind, options, arguments)
            .await
            .map_err(|error| Error::declaring(&error, "exchange", exchange))?;
        let Some(queue) = &address.queue else { return Ok(()) };
        let options = QueueDeclareOptions {
            durable: address.durable,
            auto_delete: address.auto_delete,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(short(queue), options, FieldTable::default())
            .await
            .map_err(|error| Error::declaring(&error, "queue", queue))?;
        let options = QueueBindOptions::default();
        channel
            .queue_bind(short(queue), short(exchange), short(""), options, FieldTable::default())
            .await
            .map_err(|error| Error::declaring(&error, "the binding of queue", queue))
    }

    /// Publishing to an exchange that is not there closes the channel with everything unconfirmed on it.
    async fn look(&mut self, exchange: &str) -> Result<(), Error> {
        let channel = self.declaring().await?;
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(short(exchange), ExchangeKind::Fanout, options, FieldTable::default())
            .await
            .map_err(|error| Error::declaring(&error, "exchange", exchange))
    }

    async fn declaring(&mut self) -> Result<&Channel, Error> {
        let usable = self.declaring.take().filter(|channel| channel.status().connected());
        let channel = match usable {
            Some(channel) => channel,
            None => {
                let opened = self.connection.create_channel().await;
                opened.map_err(|error| Error::Lost(error.to_string()))?
            }
        };
        Ok(self.declaring.insert(channel))
    }

    /// Sends without waiting for the confirm. Always mandatory, so that a message without a subscriber is
    /// noticed; the broker keeps nothing of it either way.
    pub async fn send(&mut self, parcel: &Parcel) -> Result<Pending, Error> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        self.channel
            .basic_publish(
                short(&parcel.exchange),
                short(&parcel.routing_key),
                options,
                parcel.body.as_bytes(),
                properties(parcel),
            )
            .await
            .map(Pending)
            .map_err(|error| Error::publishing(&error))
    }

    /// Ends the connection in an orderly way.
    pub async fn close(self) {
        let _ = self.connection.close(200, short("done")).await;
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Future for Pending {
    type Output = Result<Confirmed, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| match answer {
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

fn properties(parcel: &Parcel) -> BasicProperties {
    let mut properties = BasicProperties::default()
        .with_content_type(short(&parcel.content_type))
        .with_delivery_mode(if parcel.persistent { 2 } else { 1 })
        .with_message_id(short(&parcel.message_id));
    if !parcel.headers.is_empty() {
        let mut table = FieldTable::default();
        for (name, value) in &parcel.headers {
            let value = match value {
                Header::Text(text) => AMQPValue::LongString(text.as_str().into()),
                Header::Number(number) => AMQPValue::LongLongInt(*number),
            };
            table.insert(short(name), value);
        }
        properties = properties.with_headers(table);
    }
    if let Some(id) = &parcel.correlation_id {
        properties = properties.with_correlation_id(short(id));
    }
    if let Some(left) = parcel.expiration {
        properties = properties.with_expiration(short(&left.to_string()));
    }
    if let Some(priority) = parcel.priority {
        properties = properties.with_priority(priority);
    }
    if let Some(to) = &parcel.reply_to {
        properties = properties.with_reply_to(short(to));
    }
    if let Some(kind) = &parcel.kind {
        properties = properties.with_type(short(kind));
    }
    if let Some(user) = &parcel.user_id {
        properties = properties.with_user_id(short(user));
    }
    if let Some(app) = &parcel.app_id {
        properties = properties.with_app_id(short(app));
    }
    properties
}

/// AMQP's short text. The parcel's fields are at most 255 bytes long; anything else would be cut off
/// rather than end the program.
pub(super) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_else(|_| {
        let end = (0..=255).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        ShortString::try_new(&text[..end]).unwrap_or_default()
    })
}
