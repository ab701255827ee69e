//! Integration messages as MassTransit writes them into its outbox: an envelope of indented camelCase JSON with
//! every null written and money as text (captured from MassTransit 8.5).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::body::instant;
use super::event::EventKind;
use super::order::Order;

/// What serialises the body.
pub const CONTENT_TYPE: &str = "application/vnd.masstransit+json";
/// What every contract of the service derives from.
const BASE: &str = "BookWorm.Contracts:IntegrationEvent";

/// A message about an order.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    pub kind: EventKind,
    /// The order after the event.
    pub order: &'a Order,
    pub message: Uuid,
    /// Of the integration event inside the message.
    pub event: Uuid,
    pub conversation: Uuid,
    /// The consumed message's correlation id, where one caused it.
    pub initiator: Option<Uuid>,
    pub source: &'a str,
    /// How the broker's addresses begin: `rabbitmq://rabbitmq/`.
    pub broker: &'a str,
    pub at: DateTime<Utc>,
    pub host: &'a Host,
}

/// The program and machine that publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub machine: String,
    pub process: u32,
    pub version: String,
}

/// What an envelope says, whoever publishes it.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    /// `BookWorm.Contracts:UserCheckedOutIntegrationEvent`
    pub contract: &'a str,
    pub order: Uuid,
    /// The service knows a basket by its buyer.
    pub basket: Option<Uuid>,
    pub name: Option<&'a str>,
    /// As text, with two places or as many as it has.
    pub total: &'a str,
    pub message: Uuid,
    /// Of the integration event inside the message.
    pub event: Uuid,
    pub conversation: Uuid,
    pub initiator: Option<Uuid>,
    pub source: &'a str,
    pub destination: Option<&'a str>,
    /// When the integration event was made.
    pub created: DateTime<Utc>,
    pub sent: DateTime<Utc>,
    /// See [`Host::value`].
    pub host: Value,
}

impl Envelope<'_> {
    /// The body. The tables hold no e-mail address, so the message carries none.
    #[must_use]
    pub fn body(&self) -> String {
        let [contract, base] = urns(self.contract);
        indented(&json!({
            "messageId": self.message,
            "requestId": null,
            "correlationId": null,
            "conversationId": self.conversation,
            "initiatorId": self.initiator,
            "sourceAddress": self.source,
            "destinationAddress": self.destination,
            "responseAddress": null,
            "faultAddress": null,
            "messageType": [contract, base],
            "message": {
                "orderId": self.order,
                "basketId": self.basket,
                "fullName": self.name,
                "email": null,
                "totalMoney": self.total,
                "id": self.event,
                "creationDate": instant(self.created),
            },
            "expirationTime": null,
            "sentTime": instant(self.sent),
            "headers": {},
            "host": self.host,
        }))
    }
}

/// The types of a message, most special first.
fn urns(contract: &str) -> [String; 2] {
    [format!("urn:message:{contract}"), format!("urn:message:{BASE}")]
}

/// The column `message_type`.
#[must_use]
pub fn message_type(contract: &str) -> String {
    urns(contract).join(";")
}

/// The column `properties`.
#[must_use]
pub fn properties(contract: &str) -> String {
    indented(&json!({ "RMQ-Exchange": contract }))
}

/// The text columns of an `outbox_message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub message_type: String,
    pub destination: String,
    pub properties: String,
    pub body: String,
}

impl Publication<'_> {
    /// Writes it.
    #[must_use]
    pub fn write(&self) -> Written {
        let contract = self.kind.contract();
        let destination = format!("{}{contract}", self.broker);
        let name = self.order.buyer.as_ref().and_then(|buyer| buyer.name.as_deref());
        let body = Envelope {
            contract,
            order: self.order.id.0,
            basket: self.order.buyer_id.map(|id| id.0),
            name,
            total: &self.order.total.to_string(),
            message: self.message,
            event: self.event,
            conversation: self.conversation,
            initiator: self.initiator,
            source: self.source,
            destination: Some(&destination),
            created: self.at,
            sent: self.at,
            host: self.host.value(),
        }
        .body();
        Written {
            message_type: message_type(contract),
            destination,
            properties: properties(contract),
            body,
        }
    }
}

impl Host {
    /// Orderscope itself, as envelopes name their publisher.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({
            "machineName": self.machine,
            "processName": "orderscope",
            "processId": self.process,
            "assembly": "orderscope",
            "assemblyVersion": self.version,
            "frameworkVersion": null,
            "massTransitVersion": null,
            "operatingSystemVersion": null,
        })
    }
}

/// The send headers of a message; none without a trace.
#[must_use]
pub fn headers(traceparent: Option<&str>) -> Option<String> {
    traceparent.map(|trace| indented(&json!({ "MT-Activity-Id": trace })))
}

/// Two spaces, a line each, as .NET indents.
fn indented(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;

    /// What the library itself wrote: keys in their order, and what kind of value each has.
    const CAPTURED: &str = r#"{
  "messageId": "6e1b0000-ee9d-1ebc-8b72-08df48c4c09a",
  "requestId": null,
  "correlationId": null,
  "conversationId": "6e1b0000-ee9d-1ebc-2383-08df48c4c09e",
  "initiatorId": null,
  "sourceAddress": "rabbitmq://127.0.0.1:55672/vm_BookWormOrdering_bus_papoyy8quwxm3q7tbdxwttgydt?temporary=true",
  "destinationAddress": "rabbitmq://127.0.0.1:55672/BookWorm.Contracts:UserCheckedOutIntegrationEvent",
  "responseAddress": null,
  "faultAddress": null,
  "messageType": [
    "urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent",
    "urn:message:BookWorm.Contracts:IntegrationEvent"
  ],
  "message": {
    "orderId": "01a20479-7690-78f4-b82f-bbb744b73fb4",
    "basketId": "01a20479-72a4-7e4e-894e-305a0387036f",
    "fullName": "Dmitri Ivanov",
    "email": "someone@example.org",
    "totalMoney": "288.89",
    "id": "01a20479-7691-794e-a946-15bcb189f175",
    "creationDate": "2026-11-22T18:16:38.8017502Z"
  },
  "expirationTime": null,
  "sentTime": "2026-11-22T18:16:39.2043378Z",
  "headers": {},
  "host": {
    "machineName": "vm",
    "processName": "BookWorm.Ordering",
    "processId": 7022,
    "assembly": "BookWorm.Ordering",
    "assemblyVersion": "1.0.0.0",
    "frameworkVersion": "10.0.12",
    "massTransitVersion": "8.5.12.0",
    "operatingSystemVersion": "Unix 6.18.44.669"
  }
}"#;

    /// The text before every value, line by line: keys, their order, and how far they are indented.
    fn keys(body: &str) -> Vec<&str> {
        body.lines().map(|line| line.split_once(": ").map_or(line.trim_end(), |(k, _)| k)).collect()
    }

    #[test]
    fn a_body_has_the_shape_of_a_captured_one() {
        let order = samples::order();
        let host = Host { machine: "vm".to_owned(), process: 7022, version: "0.1.0".to_owned() };
        let written = Publication {
            kind: EventKind::Placed,
            order: &order,
            message: Uuid::from_u128(1),
            event: Uuid::from_u128(2),
            conversation: Uuid::from_u128(3),
            initiator: None,
            source: "rabbitmq://127.0.0.1:55672/x",
            broker: "rabbitmq://127.0.0.1:55672/",
            at: samples::at("2026-11-22T18:16:38.8017502Z"),
            host: &host,
        }
        .write();
        let mine: Vec<_> =
            keys(&written.body).into_iter().filter(|k| !k.contains("urn:")).collect();
        let theirs: Vec<_> = keys(CAPTURED).into_iter().filter(|k| !k.contains("urn:")).collect();
        assert_eq!(mine, theirs);
        let body: Value = serde_json::from_str(&written.body).unwrap();
        assert_eq!(body["message"]["totalMoney"], "61.40");
        assert_eq!(body["message"]["creationDate"], "2026-11-22T18:16:38.8017502Z");
        assert!(body["message"]["email"].is_null());
        assert_eq!(
            written.message_type,
            "urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent;\
             urn:message:BookWorm.Contracts:IntegrationEvent"
        );
        let exchange =
            "{\n  \"RMQ-Exchange\": \"BookWorm.Contracts:UserCheckedOutIntegrationEvent\"\n}";
        assert_eq!(written.properties, exchange);
        assert_eq!(
            written.destination,
            "rabbitmq://127.0.0.1:55672/BookWorm.Contracts:UserCheckedOutIntegrationEvent"
        );
    }
}
