//! Repairing the texts of a message so that it can be delivered; new texts are checked as deliveries read them.

use serde_json::Value;
use uuid::Uuid;

use super::{Part, Refusal};
use crate::domain::{
    address::Address,
    contract, json,
    poison::{Poison, Sender, is_envelope},
    stored_message::StoredMessage,
};

/// The most characters of an address column.
const LONGEST_ADDRESS: usize = 256;
/// The property that decides about the exchange; it wins over the destination.
const EXCHANGE: &str = "RMQ-Exchange";

/// The new texts; none keeps the present text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    pub destination: Option<String>,
    /// A JSON object; an empty text for none.
    pub headers: Option<String>,
    pub properties: Option<String>,
    pub body: Option<String>,
}

impl StoredMessage {
    /// Where the message says itself that it goes: what its envelope names, else the exchange of its own type; nothing
    /// where neither can be read. To be offered where its destination cannot be used.
    #[must_use]
    pub fn own_destination(&self) -> Option<String> {
        let fields = match serde_json::from_str(&self.body) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let named = json::field(&fields, "destinationAddress").and_then(Value::as_str);
        let usable = |text: &str| Address::parse(text).is_ok();
        named.filter(|text| usable(text)).map(ToOwned::to_owned).or_else(|| {
            let exchange = contract::exchange(contract::first(&self.kinds))?;
            Some(format!("exchange:{exchange}")).filter(|text| usable(text))
        })
    }

    /// Whether an address names the exchange of a message type that this message does not have: its consumers expect
    /// another message.
    #[must_use]
    pub fn is_of_another_type(&self, address: &Address) -> bool {
        let own = self.own_destination().and_then(|own| Address::parse(&own).ok());
        let mut types = self.kinds.split(';').filter_map(|urn| contract::exchange(urn.trim()));
        // Exchanges of types have a namespace and a name; those of queues have not.
        address.exchange.contains(':')
            && own.is_none_or(|own| own.exchange != address.exchange)
            && types.all(|exchange| exchange != address.exchange)
    }

    /// The parts that differ.
    #[must_use]
    pub fn changed(&self, other: &Self) -> Vec<Part> {
        let differs = |part: &Part| match part {
            Part::Destination => self.destination != other.destination,
            Part::Headers => self.headers != other.headers,
            Part::Properties => self.properties != other.properties,
            Part::Body => self.body != other.body,
        };
        Part::ALL.into_iter().filter(differs).collect()
    }
}

impl Repair {
    /// The parts that are given.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let given = |part: &Part| {
            match part {
                Part::Destination => &self.destination,
                Part::Headers => &self.headers,
                Part::Properties => &self.properties,
                Part::Body => &self.body,
            }
            .is_some()
        };
        Part::ALL.into_iter().filter(given).collect()
    }

    /// The message as it is afterwards. The exchange among the properties follows the destination.
    ///
    /// # Errors
    /// When a given text would keep the message from being delivered, or nothing changes.
    pub fn apply(&self, before: &StoredMessage, limit: i64) -> Result<StoredMessage, Refusal> {
        let mut after = before.clone();
        for (part, given) in [
            (Part::Destination, &self.destination),
            (Part::Headers, &self.headers),
            (Part::Properties, &self.properties),
            (Part::Body, &self.body),
        ] {
            if given.as_ref().is_some_and(|text| text.contains('\0')) {
                return Err(unfit(part, "it has a NUL character, which the database cannot hold"));
            }
        }
        if let Some(headers) = &self.headers {
            after.headers = some(headers);
        }
        if let Some(properties) = &self.properties {
            after.properties = some(properties);
        }
        if let Some(destination) = &self.destination {
            let destination = destination.trim();
            if destination.chars().count() > LONGEST_ADDRESS {
                let why = format!("an address has at most {LONGEST_ADDRESS} characters");
                return Err(unfit(Part::Destination, why));
            }
            let address = Address::parse(destination)
                .map_err(|why| unfit(Part::Destination, why.to_string()))?;
            after.properties = redirected(after.properties, &address.exchange)?;
            after.destination = Some(destination.to_owned());
        }
        if let Some(body) = &self.body {
            body_fits(body, before)?;
            after.body.clone_from(body);
        }
        let given = self.parts();
        // Our relay is the stricter of the two that may come to deliver it.
        for found in after.poison(limit, Sender::Relay) {
            if let Some(part) = part_of(&found).filter(|part| given.contains(part)) {
                return Err(unfit(part, found.to_string()));
            }
        }
        if before.changed(&after).is_empty() { Err(Refusal::Unchanged) } else { Ok(after) }
    }
}

fn unfit(part: Part, why: impl Into<String>) -> Refusal {
    Refusal::Unfit { part, why: why.into() }
}

fn some(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The part that a finding is about; none where no repair changes it.
pub(super) const fn part_of(poison: &Poison) -> Option<Part> {
    match poison {
        Poison::Headers(_) => Some(Part::Headers),
        Poison::Properties(_) | Poison::Property { .. } | Poison::Delayed => Some(Part::Properties),
        Poison::NoDestination | Poison::Destination { .. } => Some(Part::Destination),
        Poison::Body(_) | Poison::TooLarge { .. } => Some(Part::Body),
        Poison::ContentType(_) => None,
    }
}

/// Properties that name this exchange, where they named one.
fn redirected(properties: Option<String>, exchange: &str) -> Result<Option<String>, Refusal> {
    let Some(text) = properties else { return Ok(None) };
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(&text) else {
        let why = "they are no JSON object, and have to name the same exchange: give them as well";
        return Err(unfit(Part::Properties, why));
    };
    let mut changed = false;
    for (name, value) in &mut fields {
        if name.eq_ignore_ascii_case(EXCHANGE) && value.as_str() != Some(exchange) {
            *value = Value::from(exchange);
            changed = true;
        }
    }
    Ok(Some(if changed { Value::Object(fields).to_string() } else { text }))
}

/// The inbox of a consumer goes by the id inside the envelope.
fn body_fits(body: &str, before: &StoredMessage) -> Result<(), Refusal> {
    if !is_envelope(&before.content_type) {
        return Ok(());
    }
    // A body that is no JSON is found by the check for poison.
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(body) else { return Ok(()) };
    let id = json::field(&fields, "messageId").and_then(Value::as_str);
    match id.map(Uuid::try_parse) {
        Some(Ok(id)) if id == before.message.0 => Ok(()),
        Some(_) => Err(unfit(Part::Body, format!("its messageId has to be {}", before.message))),
        None => {
            Err(unfit(Part::Body, format!("it has no messageId; it has to be {}", before.message)))
        }
    }
}
