//! Addresses as MassTransit writes them for RabbitMQ: `rabbitmq://host[:port]/[vhost/]exchange?…`,
//! `queue:name` and `exchange:name`.
//!
//! Read as MassTransit's `RabbitMqEndpointAddress` does; what its workers made of every form was tried
//! against the real service.

use std::fmt;

/// Where a message goes: an exchange and how it is declared. Host and virtual host of an address are not
/// followed: MassTransit sends everything through the one connection it has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    pub exchange: String,
    pub kind: ExchangeType,
    pub durable: bool,
    pub auto_delete: bool,
    /// The queue that is declared and bound beside the exchange.
    pub queue: Option<String>,
    pub alternate: Option<String>,
    /// `rabbitmq://host/` and the like, for addresses that name no host.
    form: Form,
    text: String,
}

/// How an address was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Full,
    Queue,
    Exchange,
}

/// The types that every broker knows. Another one closes the whole connection (503), so it is refused
/// here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExchangeType {
    Fanout,
    Direct,
    Topic,
    Headers,
}

/// Why text is no address that a message can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error(
        "the scheme {0:?} is not RabbitMQ's: rabbitmq, rabbitmqs, amqp, amqps, queue or exchange"
    )]
    Scheme(String),
    #[error("it is no address: there is no scheme before a colon")]
    NoScheme,
    #[error("it names no host")]
    NoHost,
    #[error("it names no exchange")]
    NoName,
    #[error("the exchange's name has characters other than letters, digits and -_.:")]
    Name,
    #[error("{0:?} is no exchange type that a broker knows")]
    Type(String),
    #[error("its option {0:?} is neither true nor false")]
    Flag(String),
    #[error("it is longer than 255 bytes, which AMQP cannot carry")]
    TooLong,
}

/// The host in front of short addresses when they are written out, as the connection has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// `rabbitmq://127.0.0.1:5673/vhost`, without a final slash.
    base: String,
}

impl Home {
    /// The base of all addresses on one broker. The usual port and virtual host `/` are left out, as
    /// MassTransit leaves them out.
    #[must_use]
    pub fn new(tls: bool, host: &str, port: u16, virtual_host: &str) -> Self {
        let (scheme, usual) = if tls { ("rabbitmqs", 5671) } else { ("rabbitmq", 5672) };
        let port = if port == usual { String::new() } else { format!(":{port}") };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let inside = match virtual_host.trim_matches('/') {
            "" => String::new(),
            name => format!("/{}", escaped(name)),
        };
        Self { base: format!("{scheme}://{host}{port}{inside}") }
    }
}

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let (scheme, rest) = text.split_once(':').ok_or(InvalidAddress::NoScheme)?;
        let form = match scheme.to_ascii_lowercase().as_str() {
            "rabbitmq" | "rabbitmqs" | "amqp" | "amqps" => Form::Full,
            "queue" => Form::Queue,
            "exchange" => Form::Exchange,
            other => return Err(InvalidAddress::Scheme(other.to_owned())),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let name = match form {
            Form::Full => {
                let path = path.strip_prefix("//").ok_or(InvalidAddress::NoHost)?;
                let (host, inside) = path.split_once('/').unwrap_or((path, ""));
                if host.is_empty() || host.contains(|c: char| c.is_ascii_whitespace()) {
                    return Err(InvalidAddress::NoHost);
                }
                // At most the virtual host stands before the name.
                inside.rsplit('/').next().unwrap_or_default()
            }
            Form::Queue | Form::Exchange => path.trim_start_matches('/'),
        };
        let exchange = name_of(name)?;
        let mut address = Self {
            queue: matches!(form, Form::Queue).then(|| exchange.clone()),
            exchange,
            kind: ExchangeType::Fanout,
            durable: true,
            auto_delete: false,
            alternate: None,
            form,
            text: text.to_owned(),
        };
        let (mut bind, mut queue) = (false, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "temporary" => {
                    address.auto_delete = flag(pair, value)?;
                    address.durable = !address.auto_delete;
                }
                "durable" => address.durable = flag(pair, value)?,
                "autodelete" => address.auto_delete = flag(pair, value)?,
                "type" => address.kind = ExchangeType::of(value)?,
                "bind" => bind = flag(pair, value)?,
                "queue" => queue = Some(name_of(value)?),
                "alternateexchange" => address.alternate = Some(name_of(value)?),
                _ => {}
            }
        }
        if bind {
            address.queue = Some(queue.unwrap_or_else(|| address.exchange.clone()));
        }
        Ok(address)
    }

    /// The address in full, as MassTransit writes it into an envelope.
    #[must_use]
    pub fn written(&self, home: &Home) -> String {
        let Home { base } = home;
        match self.form {
            Form::Full => self.text.clone(),
            Form::Queue => format!("{base}/{}?bind=true", self.exchange),
            Form::Exchange => {
                let query = self.text.split_once('?').map_or("", |(_, query)| query);
                let mark = if query.is_empty() { "" } else { "?" };
                format!("{base}/{}{mark}{query}", self.exchange)
            }
        }
    }
}

impl ExchangeType {
    fn of(text: &str) -> Result<Self, InvalidAddress> {
        Ok(match text {
            "fanout" => Self::Fanout,
            "direct" => Self::Direct,
            "topic" => Self::Topic,
            "headers" => Self::Headers,
            other => return Err(InvalidAddress::Type(other.to_owned())),
        })
    }
}

impl fmt::Display for ExchangeType {
    /// As the broker names it: `fanout`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fanout => "fanout",
            Self::Direct => "direct",
            Self::Topic => "topic",
            Self::Headers => "headers",
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn flag(pair: &str, value: &str) -> Result<bool, InvalidAddress> {
    value.parse().map_err(|_| InvalidAddress::Flag(pair.to_owned()))
}

/// MassTransit's `RabbitMqEntityNameValidator` lets exactly these pass.
pub(super) fn name_of(text: &str) -> Result<String, InvalidAddress> {
    if text.is_empty() {
        return Err(InvalidAddress::NoName);
    }
    if text.len() > 255 {
        return Err(InvalidAddress::TooLong);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if !text.chars().all(plain) {
        return Err(InvalidAddress::Name);
    }
    Ok(text.to_owned())
}

/// The last part of an address, for lists: `UserCheckedOutIntegrationEvent`, `(none)`.
#[must_use]
pub fn short_destination(address: Option<&str>) -> &str {
    let Some(address) = address else { return "(none)" };
    let path = address.split('?').next().unwrap_or(address);
    path.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).unwrap_or(address)
}

fn escaped(name: &str) -> String {
    let pieces = name.bytes().map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn every_form_names_its_exchange() {
        for text in [
            "rabbitmq://h/A.B:C",
            "rabbitmq://h:5673/A.B:C",
            "rabbitmqs://h/other/A.B:C",
            "amqp://user@h/A.B:C?x=y",
            "exchange:A.B:C",
            "queue:A.B:C",
        ] {
            let address = parse(text);
            assert_eq!(address.exchange, "A.B:C", "{text}");
            assert!(address.durable && !address.auto_delete, "{text}");
            assert_eq!(address.kind, ExchangeType::Fanout);
        }
    }

    #[test]
    fn options_shape_the_declaration() {
        let temporary = parse("rabbitmq://h/x?temporary=true");
        assert!(!temporary.durable && temporary.auto_delete);
        assert!(!parse("rabbitmq://h/x?durable=false").durable);
        assert!(parse("rabbitmq://h/x?autodelete=true").auto_delete);
        assert_eq!(parse("rabbitmq://h/x?type=direct").kind, ExchangeType::Direct);
        assert_eq!(parse("rabbitmq://h/x?bind=true&queue=q").queue.as_deref(), Some("q"));
        assert_eq!(parse("rabbitmq://h/x?bind=true").queue.as_deref(), Some("x"));
        assert_eq!(parse("rabbitmq://h/x?queue=q").queue, None);
        assert_eq!(parse("queue:q").queue.as_deref(), Some("q"));
        let alternate = parse("rabbitmq://h/x?alternateexchange=y").alternate;
        assert_eq!(alternate.as_deref(), Some("y"));
    }

    #[test]
    fn what_cannot_be_sent_to_says_why() {
        let why = |text: &str| Address::parse(text).unwrap_err();
        assert_eq!(why(""), InvalidAddress::NoScheme);
        assert_eq!(why("loopback://h/x"), InvalidAddress::Scheme("loopback".into()));
        assert_eq!(why("rabbitmq://h"), InvalidAddress::NoName);
        assert_eq!(why("rabbitmq://h/"), InvalidAddress::NoName);
        assert_eq!(why("rabbitmq:h/x"), InvalidAddress::NoHost);
        assert_eq!(why("rabbitmq:///x"), InvalidAddress::NoHost);
        assert_eq!(why("topic:x"), InvalidAddress::Scheme("topic".into()));
        assert_eq!(why("queue:a%20b"), InvalidAddress::Name);
        assert_eq!(
            why("queue:x?type=x-delayed-message"),
            InvalidAddress::Type("x-delayed-message".into())
        );
        // What stage 6 of the fixtures holds.
        assert_eq!(
            why("rabbitmq://127.0.0.1:55672/bad exchange?type=nonsense"),
            InvalidAddress::Name
        );
        assert_eq!(why("queue:x?type=nonsense"), InvalidAddress::Type("nonsense".into()));
        assert_eq!(why("queue:x?durable=maybe"), InvalidAddress::Flag("durable=maybe".into()));
        assert_eq!(why(&format!("queue:{}", "x".repeat(256))), InvalidAddress::TooLong);
    }

    #[test]
    fn lists_show_the_end_of_an_address() {
        assert_eq!(short_destination(Some("rabbitmq://h/A.B:C?x=1")), "C");
        assert_eq!(short_destination(Some("nowhere/")), "nowhere/");
        assert_eq!(short_destination(None), "(none)");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Address::parse(&text);
            let _ = short_destination(Some(&text));
        }
    }

    #[test]
    fn short_forms_are_written_out_as_the_service_does() {
        let home = Home::new(false, "127.0.0.1", 35672, "/");
        let queue = "rabbitmq://127.0.0.1:35672/tap-queue?bind=true";
        assert_eq!(parse("queue:tap-queue").written(&home), queue);
        let exchange = "rabbitmq://127.0.0.1:35672/tap-exchange";
        assert_eq!(parse("exchange:tap-exchange").written(&home), exchange);
        let full = "rabbitmq://elsewhere/Tap:One?temporary=true";
        assert_eq!(parse(full).written(&home), full);
        let inside = Home::new(true, "::1", 5671, "a b");
        assert_eq!(parse("exchange:x").written(&inside), "rabbitmqs://[::1]/a%20b/x");
    }
}
