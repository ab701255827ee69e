//! Changing the texts of a message so that it can leave: what is given is measured as MassTransit would read it.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Part, Refusal};
use crate::domain::{
    diagnosis::{Poison, Text, exchange, poison},
    id::MessageId,
};

/// The most characters of an address column.
const LONGEST_ADDRESS: usize = 256;
/// The property that decides about the exchange; it wins over the destination.
const EXCHANGE: &str = "RMQ-Exchange";
const ENVELOPE: &str = "application/vnd.masstransit+json";

/// The new texts; none keeps the present text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    pub destination: Option<String>,
    /// A JSON object; an empty text for none.
    pub headers: Option<String>,
    pub properties: Option<String>,
    pub body: Option<String>,
}

/// The texts of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    pub message: MessageId,
    pub content_type: Option<String>,
    pub destination: Option<String>,
    pub headers: Option<String>,
    pub properties: Option<String>,
    pub body: String,
}

impl Texts {
    /// What still keeps it from leaving. `limit` is the broker's, in bytes.
    #[must_use]
    pub fn poison(&self, limit: i64) -> Vec<Poison> {
        let text = Text {
            headers: self.headers.as_deref(),
            properties: self.properties.as_deref(),
            content_type: self.content_type.as_deref(),
            destination: self.destination.as_deref(),
            body: Some(&self.body),
            bytes: i64::try_from(self.body.len()).unwrap_or(i64::MAX),
        };
        poison(&text, limit)
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

    /// The texts as they are afterwards. The exchange among the properties follows the destination.
    ///
    /// # Errors
    /// When a text that is given would keep the message from leaving, or nothing changes.
    pub fn apply(&self, texts: &Texts, limit: i64) -> Result<Texts, Refusal> {
        let mut after = texts.clone();
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
            let exchange = exchange(destination).map_err(|why| unfit(Part::Destination, why))?;
            after.properties = redirected(after.properties, exchange)?;
            after.destination = Some(destination.to_owned());
        }
        if let Some(body) = &self.body {
            body_fits(body, texts)?;
            after.body.clone_from(body);
        }
        let given = self.parts();
        for found in after.poison(limit) {
            let part = part_of(&found);
            if given.contains(&part) {
                return Err(unfit(part, found.to_string()));
            }
        }
        if texts.changed(&after).is_empty() { Err(Refusal::Unchanged) } else { Ok(after) }
    }
}

fn unfit(part: Part, why: impl Into<String>) -> Refusal {
    Refusal::Unfit { part, why: why.into() }
}

fn some(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The text that a finding is about.
const fn part_of(poison: &Poison) -> Part {
    match poison {
        Poison::Headers(_) => Part::Headers,
        Poison::Properties(_) => Part::Properties,
        Poison::NoDestination | Poison::Destination { .. } => Part::Destination,
        Poison::Body(_) | Poison::ContentType(_) | Poison::TooLarge { .. } => Part::Body,
    }
}

/// Properties that name this exchange, where they named one.
fn redirected(properties: Option<String>, exchange: &str) -> Result<Option<String>, Refusal> {
    let Some(text) = properties else { return Ok(None) };
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(&text) else {
        let why = "they are no JSON object, and have to name the same exchange: give them as well";
        return Err(unfit(Part::Properties, why));
    };
    match key(&fields, EXCHANGE) {
        Some(name) if fields.get(&name).and_then(Value::as_str) != Some(exchange) => {
            fields.insert(name, Value::from(exchange));
            Ok(Some(Value::Object(fields).to_string()))
        }
        _ => Ok(Some(text)),
    }
}

/// The inbox of a consumer goes by the id inside the envelope.
fn body_fits(body: &str, texts: &Texts) -> Result<(), Refusal> {
    let is_envelope =
        texts.content_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case(ENVELOPE));
    if !is_envelope {
        return Ok(());
    }
    // What is no JSON is found by those who look for poison.
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(body) else { return Ok(()) };
    let id = key(&fields, "messageId").and_then(|name| fields.get(&name)).and_then(Value::as_str);
    match id.map(Uuid::try_parse) {
        Some(Ok(id)) if id == texts.message.0 => Ok(()),
        Some(_) => Err(unfit(Part::Body, format!("its messageId has to be {}", texts.message))),
        None => {
            Err(unfit(Part::Body, format!("it has no messageId; it has to be {}", texts.message)))
        }
    }
}

/// The key as it is spelt: readers of envelopes do not tell capitals from small letters.
pub(super) fn key(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
}
