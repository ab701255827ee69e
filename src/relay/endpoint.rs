//! The queue of incoming commands: declared as MassTransit declares a receive endpoint, with a bounded prefetch, each
//! message acknowledged by hand.

use std::time::Duration;

use futures::StreamExt;
use lapin::{
    Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
        BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeBindOptions,
        ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

use serde_json::Value;

use super::{
    Broker, Error,
    inspector::{raw, silent, within},
    properties::without_user,
    publisher::short,
};
use crate::domain::{address::Address, fault::Raw};

/// An open connection that consumes one queue. Unsettled messages return to the queue when it ends.
#[derive(Debug)]
pub struct Endpoint {
    connection: Connection,
    taking: Channel,
    sending: Channel,
    /// None where messages are fetched one by one.
    stream: Option<Consumer>,
    queue: String,
    address: String,
    wait: Duration,
}

/// A message that was delivered to us and is neither acknowledged nor requeued.
#[derive(Debug)]
pub struct UnsettledMessage {
    pub raw: Raw,
    delivery: Delivery,
}

impl Endpoint {
    /// Connects and declares the queue, its exchange, and the exchanges of the message types bound to that.
    /// With `prefetch`, at most this many messages are delivered as they come; without, each is fetched.
    ///
    /// # Errors
    /// When the broker cannot be reached, refuses the login, or has the queue with other properties.
    pub async fn open(
        broker: &Broker,
        queue: &str,
        types: &[&str],
        prefetch: Option<u16>,
        wait: Duration,
    ) -> Result<Self, Error> {
        let own = Address::parse(&format!("exchange:{queue}")).map_err(|why| Error::Mismatch {
            what: format!("queue {queue:?}"),
            why: why.to_string(),
        })?;
        let place = broker.place();
        let properties =
            ConnectionProperties::default().with_connection_name("orderscope/consumer".into());
        let opening = Connection::connect_uri(broker.uri(), properties);
        let connection = match tokio::time::timeout(wait, opening).await {
            Ok(opened) => {
                opened.map_err(|error| Error::connecting(&error, &place, broker.user()))?
            }
            Err(_) => {
                let why = format!("no answer within {} s", wait.as_secs_f32());
                return Err(Error::Unreachable { place, why });
            }
        };
        let taking = within(wait, connection.create_channel()).await?;
        let sending = within(wait, connection.create_channel()).await?;
        within(wait, sending.confirm_select(ConfirmSelectOptions::default())).await?;
        let (queue, address) = (queue.to_owned(), own.written(&broker.home()));
        let mut endpoint = Self { connection, taking, sending, stream: None, queue, address, wait };
        endpoint.declare(&endpoint.queue).await?;
        for name in types {
            endpoint.bind(name).await?;
        }
        if let Some(prefetch) = prefetch {
            let taking = &endpoint.taking;
            within(wait, taking.basic_qos(prefetch, BasicQosOptions::default())).await?;
            let name = short(&endpoint.queue);
            let options = BasicConsumeOptions::default();
            let begun = taking.basic_consume(name, short(""), options, FieldTable::default());
            endpoint.stream = Some(within(wait, begun).await?);
        }
        Ok(endpoint)
    }

    /// The queue's address, as MassTransit writes it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether connection and channel are open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let channels = [&self.taking, &self.sending];
        self.connection.status().connected()
            && channels.iter().all(|channel| channel.status().connected())
    }

    /// The next message: as soon as there is one, or, where each is fetched, none at the end of the queue.
    ///
    /// # Errors
    /// When the connection breaks or the queue is gone; everything unsettled returns to the queue.
    pub async fn next(&mut self) -> Result<Option<UnsettledMessage>, Error> {
        let delivery = match &mut self.stream {
            Some(stream) => match stream.next().await {
                Some(next) => Some(next.map_err(|error| Error::Lost(error.to_string()))?),
                None => return Err(Error::Lost("the broker stopped handing out".to_owned())),
            },
            None => {
                let asked = self.taking.basic_get(short(&self.queue), BasicGetOptions::default());
                within(self.wait, asked).await?.map(|got| got.delivery)
            }
        };
        Ok(delivery.map(|delivery| UnsettledMessage { raw: raw(&self.queue, &delivery), delivery }))
    }

    /// Acknowledges a message: its command is executed, or a copy is in another queue.
    ///
    /// # Errors
    /// When the connection broke before: the message is delivered again.
    pub async fn ack(&self, message: UnsettledMessage) -> Result<(), Error> {
        let settling = message.delivery.acker.ack(BasicAckOptions::default());
        if within(self.wait, settling).await? {
            Ok(())
        } else {
            Err(Error::Lost("the channel ended before the message was settled".to_owned()))
        }
    }

    /// Puts a message back: it is delivered again, to us or to another consumer.
    ///
    /// # Errors
    /// When the connection broke: the message is back in the queue then, too.
    pub async fn requeue(&self, message: UnsettledMessage) -> Result<(), Error> {
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        within(self.wait, message.delivery.acker.nack(options)).await.map(|_| ())
    }

    /// Copies a message to `<queue><ending>`, body and properties unchanged but for these headers and its time
    /// to live, and waits for the confirm. It stays in its own queue until it is acknowledged.
    ///
    /// # Errors
    /// When the broker did not take it.
    pub async fn copy_to(
        &self,
        message: &UnsettledMessage,
        ending: &str,
        headers: &[(&'static str, Value)],
    ) -> Result<(), Error> {
        let name = format!("{}{ending}", self.queue);
        self.declare(&name).await?;
        let was = &message.delivery.properties;
        let mut table = was.headers().clone().unwrap_or_default();
        for (name, value) in headers {
            table.insert(short(name), amqp(value));
        }
        // In an error queue nothing may expire, and another user's id would be refused (406).
        let properties = without_user(was, false).with_headers(table);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, body) = (short(&name), &message.delivery.data);
        let sending = self.sending.basic_publish(exchange, short(""), options, body, properties);
        match tokio::time::timeout(self.wait, async { sending.await?.await }).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)))) => {
                Err(Error::Lost(format!("the broker has no queue {name} any more")))
            }
            Ok(Ok(Confirmation::Nack(_))) => Err(Error::Nacked),
            Ok(Ok(Confirmation::NotRequested)) => {
                Err(Error::Lost("the channel gives no confirms".to_owned()))
            }
            Ok(Err(error)) => Err(Error::publishing(&error)),
            Err(_) => Err(silent(self.wait)),
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        let _ = within(self.wait, self.connection.close(200, short("done"))).await;
    }

    /// A durable queue behind a fanout exchange of the same name.
    async fn declare(&self, name: &str) -> Result<(), Error> {
        // A declaration that is refused closes its channel.
        let channel = within(self.wait, self.connection.create_channel()).await?;
        exchange(&channel, name).await?;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel
            .queue_declare(short(name), options, FieldTable::default())
            .await
            .map_err(|error| Error::declaring(&error, "queue", name))?;
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind(short(name), short(name), short(""), options, none)
            .await
            .map_err(|error| Error::declaring(&error, "the binding of queue", name))?;
        within(self.wait, channel.close(200, short("done"))).await
    }

    /// The exchange of a message type, bound to the queue's.
    async fn bind(&self, name: &str) -> Result<(), Error> {
        let channel = within(self.wait, self.connection.create_channel()).await?;
        exchange(&channel, name).await?;
        let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
        channel
            .exchange_bind(short(&self.queue), short(name), short(""), options, none)
            .await
            .map_err(|error| Error::declaring(&error, "the binding of exchange", name))?;
        within(self.wait, channel.close(200, short("done"))).await
    }
}

/// A header's value: texts and whole numbers, the two that MassTransit's writer knows.
fn amqp(value: &Value) -> AMQPValue {
    match value {
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        other => other.as_i64().map_or_else(
            || AMQPValue::LongString(other.to_string().into()),
            AMQPValue::LongLongInt,
        ),
    }
}

async fn exchange(channel: &Channel, name: &str) -> Result<(), Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(short(name), ExchangeKind::Fanout, options, FieldTable::default())
        .await
        .map_err(|error| Error::declaring(&error, "exchange", name))
}
