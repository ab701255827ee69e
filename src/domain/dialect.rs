//! How a store writes its events: the tenant, the spelling of keys, the form of enums and decimals, the .NET types.
//! A service is configured for one of each; an event in another form is one that it cannot read. The dialect is learnt
//! from an event of the store, never assumed.

use std::fmt;

use serde_json::{Map, Number, Value};

use super::{
    event::{EventKind, RecordedEvent},
    json::{field, field_of, key},
    order::Status,
};

/// The tenant of a store without tenants, as Marten writes it.
pub const DEFAULT_TENANT: &str = "*DEFAULT*";

/// How keys are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Casing {
    /// `BuyerId`
    Pascal,
    /// `buyerId`
    Camel,
    /// `buyer_id`
    Snake,
}

/// How a status is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnumForm {
    /// `"Cancelled"`
    Name,
    /// `"cancelled"`
    LowerName,
    /// `1`: what Marten does where nothing else is configured.
    Number,
}

/// How an amount is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalForm {
    /// `33.77`
    Number,
    /// `"33.77"`
    Text,
}

/// How a store writes its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// None where the table has no such column.
    pub tenant: Option<String>,
    pub casing: Casing,
    pub enums: EnumForm,
    pub decimals: DecimalForm,
    /// What stands before and after the class in `mt_dotnet_type`; none where the column is empty.
    dotnet: Option<(String, String)>,
}

/// Keys that tell the three spellings apart: all have two words.
const TWO_WORDS: [&str; 8] = [
    "DateOccurred",
    "BuyerId",
    "OrderItems",
    "TotalPrice",
    "IsDeleted",
    "CreatedAt",
    "LastModifiedAt",
    "BookId",
];

impl Dialect {
    /// The dialect of databases that Orderscope made.
    #[must_use]
    pub fn ours(tenant: Option<String>) -> Self {
        let (before, after) =
            around_class(EventKind::Placed.dotnet_type(), EventKind::Placed).unwrap_or_default();
        Self {
            tenant,
            casing: Casing::Pascal,
            enums: EnumForm::Name,
            decimals: DecimalForm::Number,
            dotnet: Some((before, after)),
        }
    }

    /// The dialect of an event.
    ///
    /// # Errors
    /// Why it cannot be told, in words.
    pub fn of(event: &RecordedEvent) -> Result<Self, String> {
        let kind = EventKind::of(&event.kind, event.dotnet_type.as_deref());
        let kind = kind.ok_or_else(|| format!("event {} is a {}", event.seq, event.kind))?;
        if event.kind != kind.alias() {
            return Err(format!("event {} is called {}", event.seq, event.kind));
        }
        if event.binary {
            return Err(format!("the body of event {} is in the binary column", event.seq));
        }
        if let Some(why) = &event.unread {
            return Err(format!("event {}: {why}", event.seq));
        }
        let told = |why: &str| format!("event {}: {why}", event.seq);
        let order = field_of(&event.body, "Order").and_then(Value::as_object);
        let order = order.ok_or_else(|| told("its body has no Order"))?;
        let dotnet = match event.dotnet_type.as_deref() {
            None => None,
            Some(name) => Some(
                around_class(name, kind)
                    .ok_or_else(|| told(&format!("its .NET type {name} has another class name")))?,
            ),
        };
        Ok(Self {
            tenant: event.tenant.clone(),
            casing: casing(&event.body).map_err(|why| told(&why))?,
            enums: enums(order).map_err(told)?,
            decimals: decimals(order).map_err(|why| told(&why))?,
            dotnet,
        })
    }

    /// The same body in this dialect. It is given as [`super::body::body`] writes it.
    #[must_use]
    pub fn spell(&self, body: Value) -> Value {
        match body {
            Value::Object(fields) => Value::Object(self.fields(fields)),
            Value::Array(items) => items.into_iter().map(|item| self.spell(item)).collect(),
            other => other,
        }
    }

    fn fields(&self, fields: Map<String, Value>) -> Map<String, Value> {
        let spelt = fields.into_iter().map(|(key, value)| {
            let value = match key.as_str() {
                "Status" => self.status(value),
                "TotalPrice" | "Price" => self.amount(value),
                _ => self.spell(value),
            };
            (self.casing.spell(&key), value)
        });
        spelt.collect()
    }

    fn status(&self, value: Value) -> Value {
        let Some(status) = value.as_str().and_then(Status::from_name) else { return value };
        match self.enums {
            EnumForm::Name => value,
            EnumForm::LowerName => Value::String(value.as_str().unwrap_or_default().to_lowercase()),
            EnumForm::Number => status.number().into(),
        }
    }

    fn amount(&self, value: Value) -> Value {
        match (self.decimals, value) {
            (DecimalForm::Text, Value::Number(number)) => Value::String(number.to_string()),
            (_, value) => value,
        }
    }

    /// `mt_dotnet_type` of an event of that kind.
    #[must_use]
    pub fn dotnet_type(&self, kind: EventKind) -> Option<String> {
        let (before, after) = self.dotnet.as_ref()?;
        Some(format!("{before}{}{after}", class(kind)))
    }
}

impl fmt::Display for Dialect {
    /// `tenant shop-a, camelCase, enum as integer`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = self.tenant.as_ref().filter(|tenant| *tenant != DEFAULT_TENANT) {
            write!(f, "tenant {tenant}, ")?;
        }
        f.write_str(match self.casing {
            Casing::Pascal => "PascalCase",
            Casing::Camel => "camelCase",
            Casing::Snake => "snake_case",
        })?;
        f.write_str(match self.enums {
            EnumForm::Name => ", enum as name",
            EnumForm::LowerName => ", enum as lower-case name",
            EnumForm::Number => ", enum as integer",
        })?;
        f.write_str(match self.decimals {
            DecimalForm::Number => "",
            DecimalForm::Text => ", decimals as text",
        })
    }
}

impl Casing {
    /// A key that is given in Pascal case.
    fn spell(self, key: &str) -> String {
        match self {
            Self::Pascal => key.to_owned(),
            Self::Camel => {
                let mut chars = key.chars();
                chars
                    .next()
                    .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
            }
            Self::Snake => {
                let mut out = String::with_capacity(key.len() + 4);
                for (place, letter) in key.chars().enumerate() {
                    if letter.is_uppercase() && place > 0 {
                        out.push('_');
                    }
                    out.extend(letter.to_lowercase());
                }
                out
            }
        }
    }
}

/// The tenants of events, each once, in the order of their names.
#[must_use]
pub fn tenants<'a>(events: impl IntoIterator<Item = &'a RecordedEvent>) -> Vec<&'a str> {
    let mut tenants: Vec<_> =
        events.into_iter().filter_map(|event| event.tenant.as_deref()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants
}

fn casing(body: &Value) -> Result<Casing, String> {
    let mut found = None;
    let mut objects: Vec<&Map<String, Value>> = body.as_object().into_iter().collect();
    while let Some(object) = objects.pop() {
        let spelt = TWO_WORDS.iter().filter_map(|name| Some((*name, key(object, name)?)));
        for (name, spelt) in spelt {
            let all = [Casing::Pascal, Casing::Camel, Casing::Snake];
            let casing = all.into_iter().find(|casing| casing.spell(name) == spelt);
            let casing =
                casing.ok_or_else(|| format!("its key {spelt} is spelt as none we know"))?;
            if *found.get_or_insert(casing) != casing {
                return Err(format!("its keys are spelt in several ways ({spelt})"));
            }
        }
        let values = object.values();
        objects.extend(values.clone().filter_map(Value::as_object));
        objects.extend(values.filter_map(Value::as_array).flatten().filter_map(Value::as_object));
    }
    found.ok_or_else(|| "none of its keys tells how keys are spelt".to_owned())
}

fn enums(order: &Map<String, Value>) -> Result<EnumForm, &'static str> {
    match field(order, "Status") {
        Some(Value::Number(_)) => Ok(EnumForm::Number),
        Some(Value::String(name)) if Status::from_name(name).is_some() => Ok(EnumForm::Name),
        Some(Value::String(name)) if is_lower_name(name) => Ok(EnumForm::LowerName),
        Some(_) => Err("its Status is no name and no integer"),
        None => Err("its Order has no Status"),
    }
}

fn is_lower_name(name: &str) -> bool {
    let known = [Status::New, Status::Cancelled, Status::Completed];
    known.iter().any(|status| status.to_string().to_lowercase() == name)
}

fn decimals(order: &Map<String, Value>) -> Result<DecimalForm, String> {
    let lines = field(order, "OrderItems").and_then(Value::as_array).into_iter().flatten();
    let prices = lines.filter_map(|line| field_of(line, "Price").map(|price| ("Price", price)));
    let total = field(order, "TotalPrice").map(|total| ("TotalPrice", total));
    let mut found = None;
    for (name, amount) in total.into_iter().chain(prices) {
        let form = match amount {
            Value::Number(_) => DecimalForm::Number,
            Value::String(digits) if digits.parse::<Number>().is_ok() => DecimalForm::Text,
            _ => return Err(format!("its {name} is no amount")),
        };
        if *found.get_or_insert(form) != form {
            return Err("some of its amounts are numbers and some are text".to_owned());
        }
    }
    found.ok_or_else(|| "it has no amount".to_owned())
}

fn class(kind: EventKind) -> &'static str {
    let full = kind.dotnet_type().split(',').next().unwrap_or_default();
    full.rsplit('.').next().unwrap_or_default()
}

/// What stands before and after the class in a type's full name; none where the class is not that of the kind.
fn around_class(name: &str, kind: EventKind) -> Option<(String, String)> {
    let (full, _) = name.split_once(',').unwrap_or((name, ""));
    let before = full.strip_suffix(class(kind))?;
    let ends = before.is_empty() || before.ends_with(['.', '+']);
    ends.then(|| (before.to_owned(), name.get(full.len()..).unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::{
        body::{body, meaning},
        event::NewEvent,
        id::{OrderId, StreamId},
        samples,
        timeline::Timeline,
    };

    /// Events that Marten wrote for the real service.
    fn captured() -> Vec<RecordedEvent> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/1-backlog/mt_events.csv");
        let mut file = csv::Reader::from_path(file).unwrap();
        let rows = file.deserialize::<std::collections::BTreeMap<String, String>>();
        rows.map(|row| {
            let row = row.unwrap();
            let body = serde_json::from_str(&row["data"]).unwrap();
            let seq = row["seq_id"].parse().unwrap();
            let mut event = samples::event(seq, &row["type"], body);
            event.dotnet_type = Some(row["mt_dotnet_type"].clone());
            event.stream = Some(StreamId(row["stream_id"].parse().unwrap()));
            event
        })
        .collect()
    }

    /// The same event of a store that is configured otherwise.
    fn respelt(mut event: RecordedEvent, dialect: &Dialect) -> RecordedEvent {
        let kind = EventKind::of(&event.kind, None).unwrap();
        event.body = dialect.spell(event.body);
        event.tenant.clone_from(&dialect.tenant);
        event.dotnet_type = dialect.dotnet_type(kind);
        event
    }

    fn any_dialect() -> impl Strategy<Value = Dialect> {
        let casing = prop_oneof![Just(Casing::Pascal), Just(Casing::Camel), Just(Casing::Snake)];
        let enums =
            prop_oneof![Just(EnumForm::Name), Just(EnumForm::LowerName), Just(EnumForm::Number)];
        let decimals = prop_oneof![Just(DecimalForm::Number), Just(DecimalForm::Text)];
        let tenant = prop_oneof![Just(None), Just(Some("shop-a".to_owned()))];
        let dotnet = prop_oneof![
            Just(None),
            Just(Some(("Shop.Events.".to_owned(), ", Shop, Version=2.0.0.0".to_owned()))),
            Just(Some(("Outer+".to_owned(), String::new()))),
        ];
        (tenant, casing, enums, decimals, dotnet).prop_map(
            |(tenant, casing, enums, decimals, dotnet)| Dialect {
                tenant,
                casing,
                enums,
                decimals,
                dotnet,
            },
        )
    }

    /// Keys and kinds of values, without the values.
    fn outline(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), outline(value))).collect()
            }
            Value::Array(items) => items.first().map(outline).into_iter().collect(),
            Value::Number(_) => json!(0),
            Value::String(_) => json!(""),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_like_its_neighbour_and_reads_the_same(
            dialect in any_dialect(),
            which in any::<prop::sample::Index>(),
        ) {
            let real = which.get(&captured()).clone();
            let kind = EventKind::of(&real.kind, None).unwrap();
            let neighbour = respelt(real.clone(), &dialect);
            let learnt = Dialect::of(&neighbour).unwrap();
            prop_assert_eq!(&learnt, &dialect);
            prop_assert_eq!(meaning(&neighbour), meaning(&real));
            // What a command that leads to the same state writes.
            let id = OrderId(real.stream.unwrap().0);
            let of_order = captured().into_iter().filter(|event| event.stream == real.stream);
            let mut events: Vec<_> = of_order.filter(|event| event.seq <= real.seq).collect();
            let after = Timeline::new(id, events.clone()).latest().order().unwrap().clone();
            let next = NewEvent { kind, order: after.clone(), occurred_at: real.at };
            let written = learnt.spell(body(&next));
            // The reason of a cancellation is what the service does not have and leaves unread.
            let mut shape = outline(&written);
            shape.as_object_mut().unwrap().remove(&learnt.casing.spell("Reason"));
            prop_assert_eq!(shape, outline(&neighbour.body));
            events.pop();
            events.push(RecordedEvent { body: written, ..neighbour });
            let timeline = Timeline::new(id, events);
            prop_assert_eq!(timeline.latest().order().unwrap(), &after);
        }
    }

    #[test]
    fn it_says_itself() {
        let dialect = Dialect {
            tenant: Some("shop-a".to_owned()),
            casing: Casing::Camel,
            enums: EnumForm::Number,
            ..Dialect::ours(None)
        };
        assert_eq!(dialect.to_string(), "tenant shop-a, camelCase, enum as integer");
        assert_eq!(
            dialect.dotnet_type(EventKind::Cancelled).as_deref(),
            Some(EventKind::Cancelled.dotnet_type())
        );
    }

    #[test]
    fn what_cannot_be_told_is_refused_with_the_reason() {
        let of =
            |body: Value| Dialect::of(&samples::event(1, "order_placed_event", body)).unwrap_err();
        let order = |order: Value| of(json!({ "Order": order }));
        assert_eq!(of(json!([])), "event 403: its body has no Order");
        assert_eq!(
            order(json!({"Id": 1, "Status": "New"})),
            "event 403: none of its keys tells how keys are spelt"
        );
        assert_eq!(
            order(json!({"BuyerId": 1, "totalPrice": 1, "Status": 0})),
            "event 403: its keys are spelt in several ways (totalPrice)"
        );
        assert_eq!(
            order(json!({"BuyerId": 1, "TotalPrice": 1})),
            "event 403: its Order has no Status"
        );
        for status in ["", "shipped", "NEW"] {
            assert_eq!(
                order(json!({"BuyerId": 1, "TotalPrice": 1, "Status": status})),
                "event 403: its Status is no name and no integer"
            );
        }
        assert_eq!(
            order(json!({"TotalPrice": "33,77", "Status": 0})),
            "event 403: its TotalPrice is no amount"
        );
        let odd = samples::event(1, "order_shipped_event", json!({}));
        assert_eq!(Dialect::of(&odd).unwrap_err(), "event 403 is a order_shipped_event");
    }
}
