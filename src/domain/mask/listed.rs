//! What may be seen while personal data is masked: everything else is covered.

use chrono::{DateTime, NaiveDateTime};

use crate::domain::search::STATUSES;

/// Keys whose values are technical names: contracts, types, addresses of the broker, versions. Compared without
/// case, `-` and `_`.
const TECHNICAL: &[&str] = &[
    "messagetype",
    "type",
    "types",
    "kind",
    "kinds",
    "eventtype",
    "mtdotnettype",
    "exceptiontype",
    "mtfaultexceptiontype",
    "mtfaultmessagetype",
    "mtfaultconsumertype",
    "mtfaultinputaddress",
    "mtreason",
    "contenttype",
    "contentencoding",
    "sourceaddress",
    "destinationaddress",
    "responseaddress",
    "faultaddress",
    "inputaddress",
    "destination",
    "rmqexchange",
    "exchange",
    "routingkey",
    "queue",
    "home",
    "processname",
    "assembly",
    "assemblyversion",
    "frameworkversion",
    "masstransitversion",
    "mthostprocessname",
    "mthostassembly",
    "mthostassemblyversion",
    "mthostframeworkversion",
    "mthostmasstransitversion",
    "xfirstdeathexchange",
    "xfirstdeathqueue",
    "xfirstdeathreason",
    "xmin",
    "tenantid",
    "mtactivityid",
    "verdict",
    "result",
    "mode",
    "cause",
    "table",
    "stoppedby",
    "deliverymode",
];

/// Keys whose values are amounts, wherever these are written as texts, and numbers of any length.
const NUMBERS: &[&str] = &[
    "price",
    "quantity",
    "total",
    "totalmoney",
    "totalprice",
    "discount",
    "version",
    "seqid",
    "seq",
    "sequence",
    "sequencenumber",
    "number",
    "count",
    "bytes",
    "position",
    "operation",
    "lastsequencenumber",
    "receivecount",
    "status",
];

/// Keys of ids that may be plain numbers.
const IDS: &[&str] = &["id", "orderid", "buyerid", "bookid", "itemid", "messageid", "eventid"];

/// Parts of keys under which not even numbers and times are shown.
const PERSONAL: &[&str] = &[
    "name", "street", "city", "province", "address", "mail", "note", "reason", "phone", "birth",
    "passport", "secret", "password", "token", "card", "zip", "postcode", "postal", "iban",
];

/// A number with more digits may be that of a telephone, a card or a person, unless its key is listed.
const MOST_DIGITS: usize = 6;

/// What the name of a value says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Nothing under it is shown but ids.
    Personal,
    Technical,
    Number,
    /// Short numbers, also as texts.
    Id,
    /// The name of a status.
    Status,
    Unknown,
}

impl Key {
    pub(super) fn of(key: &str) -> Self {
        let plain: String = key
            .chars()
            .filter(|c| !matches!(c, '_' | '-' | '.'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if plain == "status" || plain == "oldstatus" || plain == "newstatus" {
            Self::Status
        } else if IDS.contains(&plain.as_str()) {
            Self::Id
        } else if TECHNICAL.contains(&plain.as_str()) {
            Self::Technical
        } else if NUMBERS.contains(&plain.as_str()) {
            Self::Number
        } else if PERSONAL.iter().any(|part| plain.contains(part)) {
            Self::Personal
        } else {
            Self::Unknown
        }
    }

    /// Whether this text may be seen under it.
    pub(super) fn shows(self, text: &str) -> bool {
        text.is_empty()
            || is_id(text)
            || match self {
                Self::Personal => false,
                Self::Technical => is_moment(text) || is_technical(text),
                Self::Number => is_moment(text) || is_number(text, usize::MAX),
                Self::Status => {
                    is_number(text, MOST_DIGITS)
                        || STATUSES.iter().any(|(known, _)| known.eq_ignore_ascii_case(text))
                }
                Self::Id => is_short_number(text),
                Self::Unknown => is_moment(text),
            }
    }

    /// Whether this JSON number may be seen under it.
    pub(super) fn shows_number(self, number: &str) -> bool {
        match self {
            Self::Personal => false,
            Self::Technical | Self::Number | Self::Status => true,
            Self::Id | Self::Unknown => digits(number) <= MOST_DIGITS,
        }
    }
}

/// The name of a value itself: a name of a program's kind. Other keys hold data, as those of maps do.
pub(super) fn is_key(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | ':');
    key.len() <= 64 && key.chars().all(plain) && digits(key) <= MOST_DIGITS || is_id(key)
}

/// A UUID, also as a URN or the short form of one, or an id of a trace.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    // Sixteen digits may be a card's number.
    let traced =
        matches!(text.len(), 16 | 32 | 55) && text.bytes().any(|b| b.is_ascii_alphabetic());
    uuid::Uuid::try_parse(text).is_ok()
        || (traced && hex(text))
        || text.strip_prefix('…').is_some_and(|tail| tail.len() == 4 && hex(tail))
}

/// A date with a time of day, in one of the forms that stores write. A date alone may be a birthday.
pub(super) fn is_moment(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
        || ["%Y-%m-%d %H:%M:%S%.f%#z", "%m/%d/%Y %H:%M:%S %:z"]
            .iter()
            .any(|form| DateTime::parse_from_str(text, form).is_ok())
        || ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .any(|form| NaiveDateTime::parse_from_str(text, form).is_ok())
}

/// Digits with at most one sign and one point; no leading zero, as telephone numbers have.
pub(super) fn is_number(text: &str, most: usize) -> bool {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = plain.split_once('.').unwrap_or((plain, "0"));
    let all = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all(whole) && all(part) && (whole == "0" || !whole.starts_with('0')) && digits(plain) <= most
}

/// Short numbers, as texts and statements have them.
pub(super) fn is_short_number(text: &str) -> bool {
    is_number(text, MOST_DIGITS)
}

/// A name, an address or a version as programs write them: no blank but after a comma, no `@`.
pub(super) fn is_technical(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:/+-?=&%[]`,;|*<>()".contains(c);
    text.len() <= 512 && text.replace(", ", ",").chars().all(plain)
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}
