//! What a command line or a JSON text says, as a command. Rules are not checked here: the domain does.

use std::{io::Read, path::Path, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Number, error::Category};
use uuid::Uuid;

use super::{
    Failure,
    args::{AddressArgs, CreateOrder},
};
use crate::domain::{
    decide::{Address, Command, NewLine},
    id::{BookId, BuyerId, LineId, OrderId},
};

/// The most that is read of a JSON text, in bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderJson {
    id: Option<Uuid>,
    buyer: Uuid,
    note: Option<String>,
    lines: Vec<LineJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineJson {
    book: Uuid,
    quantity: i64,
    price: Price,
}

/// A number, or a text where a program fears for its digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Price {
    Number(Number),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BuyerJson {
    id: Option<Uuid>,
    name: String,
    street: Option<String>,
    city: Option<String>,
    province: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressJson {
    street: Option<String>,
    city: Option<String>,
    province: Option<String>,
}

/// The command of `order create`.
pub(super) fn order(args: &CreateOrder) -> Result<Command, Failure> {
    let (id, buyer, note, lines) = if let Some(path) = &args.json {
        let order: OrderJson = json(path)?;
        let lines = order.lines.iter().enumerate().map(|(index, line)| {
            let price = match &line.price {
                Price::Number(number) => price(&number.to_string(), index)?,
                Price::Text(text) => price(text, index)?,
            };
            Ok(new_line(line.book, line.quantity, price))
        });
        (order.id, order.buyer, order.note, lines.collect::<Result<Vec<_>, Failure>>()?)
    } else {
        let lines = args.line.iter().enumerate().map(|(index, text)| option(text, index));
        let buyer = args.buyer.as_deref().unwrap_or_default();
        let id = args.id.as_deref().map(|id| uuid(id, "--id")).transpose()?;
        let lines = lines.collect::<Result<Vec<_>, Failure>>()?;
        (id, uuid(buyer, "--buyer")?, args.note.clone(), lines)
    };
    let id = OrderId(id.unwrap_or_else(crate::ops::fresh_id));
    Ok(Command::CreateOrder { id, buyer: BuyerId(buyer), note, lines })
}

/// The command of `buyer create`.
pub(super) fn buyer(
    from: Option<&Path>,
    id: Option<&str>,
    name: Option<String>,
    address: AddressArgs,
) -> Result<Command, Failure> {
    let (id, name, address) = match from {
        Some(path) => {
            let BuyerJson { id, name, street, city, province } = json(path)?;
            (id, name, Address { street, city, province })
        }
        None => {
            let id = id.map(|id| uuid(id, "--id")).transpose()?;
            (id, name.unwrap_or_default(), given(address))
        }
    };
    Ok(Command::CreateBuyer { id: BuyerId(id.unwrap_or_else(crate::ops::fresh_id)), name, address })
}

/// The command of `buyer address`.
pub(super) fn address(
    id: &str,
    from: Option<&Path>,
    address: AddressArgs,
) -> Result<Command, Failure> {
    let id = BuyerId(uuid(id, "the buyer")?);
    let address = match from {
        Some(path) => {
            let AddressJson { street, city, province } = json(path)?;
            Address { street, city, province }
        }
        None => given(address),
    };
    Ok(Command::UpdateBuyerAddress { id, address })
}

/// The operation's id behind an idempotency key: the key itself, if it is an id; a new one without a key.
pub(super) fn operation(key: Option<&str>) -> Result<Uuid, Failure> {
    use sha2::{Digest, Sha256};
    let Some(key) = key else { return Ok(crate::ops::fresh_id()) };
    let key = key.trim();
    if key.is_empty() {
        return Err(Failure::usage("--idempotency-key is empty"));
    }
    if let Ok(id) = Uuid::try_parse(key) {
        return Ok(id);
    }
    let hash = Sha256::digest(format!("orderscope idempotency key 1\n{key}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Ok(uuid::Builder::from_bytes(bytes)
        .with_version(uuid::Version::Custom)
        .with_variant(uuid::Variant::RFC4122)
        .into_uuid())
}

fn given(AddressArgs { street, city, province }: AddressArgs) -> Address {
    Address { street, city, province }
}

fn new_line(book: Uuid, quantity: i64, price: Decimal) -> NewLine {
    NewLine { id: LineId(crate::ops::fresh_id()), book: BookId(book), quantity, price }
}

fn option(text: &str, index: usize) -> Result<NewLine, Failure> {
    let mut parts = text.splitn(3, ':');
    let (Some(book), Some(quantity), Some(each)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(Failure::usage(format!("--line {text:?} is not BOOK:QUANTITY:PRICE")));
    };
    let wrong =
        || format!("the quantity of item {} is a whole number, not {quantity:?}", index + 1);
    let quantity = quantity.trim().parse().map_err(|_| Failure::usage(wrong()))?;
    Ok(new_line(uuid(book, "the book")?, quantity, price(each, index)?))
}

fn price(text: &str, index: usize) -> Result<Decimal, Failure> {
    let text = text.trim();
    let read = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    read.map_err(|_| {
        let item = index + 1;
        Failure::usage(format!("the price of item {item} is a decimal number, not {text:?}"))
    })
}

fn uuid(text: &str, what: &str) -> Result<Uuid, Failure> {
    Uuid::from_str(text.trim())
        .map_err(|_| Failure::usage(format!("{what} is a whole id, not {text:?}")))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = text(path, LARGEST)?;
    serde_json::from_str(&text).map_err(|error| malformed(path, &error))
}

/// What a file has, or standard input for `-`.
pub(super) fn text(path: &Path, largest: u64) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(largest + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(largest + 1).read_to_string(&mut text))
    };
    let shown = path.display();
    let size = read.map_err(|error| {
        let given = path.to_string_lossy();
        if given.trim_start().starts_with(['{', '[']) {
            return Failure::usage(
                "here goes the name of a file, or - for standard input, not the JSON itself",
            );
        }
        Failure::usage(format!("cannot read {shown}: {error}"))
    })?;
    if size as u64 > largest {
        return Err(Failure::usage(format!("{shown} is longer than {largest} bytes")));
    }
    Ok(text)
}

/// What is wrong with JSON from a file, and where. Of what stands there only a strange key is told, if it is a name.
pub(super) fn malformed(path: &Path, error: &serde_json::Error) -> Failure {
    let told = error.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let strange = told.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let strange = strange.filter(|(name, _)| name.chars().all(plain));
    let why = match (error.classify(), told.rfind(", expected ")) {
        // `invalid type: string "…", expected u64 at line 1 column 9`
        (Category::Data, Some(at)) if strange.is_none() => &told[at + 2..],
        _ => &told,
    };
    Failure::usage(format!("--json {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_operation_for_ever() {
        let id = Uuid::from_u128(7);
        assert_eq!(operation(Some(&id.to_string())).unwrap(), id);
        let key = operation(Some("CB-91")).unwrap();
        assert_eq!(key, operation(Some(" CB-91 ")).unwrap());
        assert_ne!(key, operation(Some("CB-92")).unwrap());
        assert_eq!(key.get_version(), Some(uuid::Version::Custom));
        assert_ne!(operation(None).unwrap(), operation(None).unwrap());
        assert!(operation(Some(" ")).is_err());
    }

    #[test]
    fn prices_keep_their_digits() {
        for (text, expected) in [("12.50", "12.50"), ("1e2", "100"), ("-3", "-3"), ("0", "0")] {
            assert_eq!(price(text, 0).unwrap().to_string(), expected);
        }
        for text in ["", "12,50", "x", "1.00000000000000000000000000000000001"] {
            assert!(price(text, 0).is_err(), "{text}");
        }
    }
}
