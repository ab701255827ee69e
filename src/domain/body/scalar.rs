//! Tolerant reading of single JSON values: numbers as text, times with or
//! without a zone.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{event::FieldPatch, order::Status};

pub(super) fn uuid(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.as_str()?.trim()).ok()
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A number or a number as text, with all its digits or not at all.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    let digits = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    if digits.contains(['e', 'E']) {
        return Decimal::from_scientific(&digits).ok();
    }
    Decimal::from_str_exact(&digits).ok()
}

pub(super) fn whole(value: &Value) -> Option<i64> {
    let number = decimal(value)?.normalize();
    if number.scale() == 0 { number.mantissa().try_into().ok() } else { None }
}

/// A name (as .NET's enum converter writes it) or a number.
pub(super) fn status(value: &Value) -> Option<Status> {
    if let Some(number) = whole(value) {
        return number.try_into().ok().map(Status::from_number);
    }
    match value.as_str()?.trim().to_ascii_lowercase().as_str() {
        "new" => Some(Status::New),
        "cancelled" | "canceled" => Some(Status::Cancelled),
        "completed" => Some(Status::Completed),
        _ => None,
    }
}

/// A time as .NET writes it, kept to .NET's own step of 100 ns. Without a zone it is UTC; the year
/// 1 is .NET's "never set" (null).
pub(super) fn time(value: &Value) -> Option<FieldPatch<DateTime<Utc>>> {
    let text = value.as_str()?.trim();
    let at = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.to_utc(),
        Err(_) => text.parse::<NaiveDateTime>().ok()?.and_utc(),
    };
    if at.year() <= 1 {
        return Some(FieldPatch::Null);
    }
    let beyond = i64::from(at.nanosecond() % 100);
    at.checked_sub_signed(TimeDelta::nanoseconds(beyond)).map(FieldPatch::Value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_keep_their_digits_or_are_refused() {
        assert_eq!(decimal(&raw("96.40")).unwrap().to_string(), "96.40");
        assert_eq!(decimal(&raw("\"96.40\"")).unwrap().to_string(), "96.40");
        assert_eq!(decimal(&raw("1e3")), Some(Decimal::from(1000)));
        assert_eq!(decimal(&raw("1e999999999")), None);
        assert_eq!(decimal(&raw(&"9".repeat(200))), None);
        assert_eq!(decimal(&raw("0.12345678901234567890123456789012")), None);
        assert_eq!(decimal(&json!("96,40")), None);
        assert_eq!(whole(&raw("3.0")), Some(3));
        assert_eq!(whole(&raw("3.5")), None);
        assert_eq!(whole(&raw("99999999999999999999")), None);
    }

    #[test]
    fn statuses_by_name_and_number() {
        assert_eq!(status(&json!("Cancelled")), Some(Status::Cancelled));
        assert_eq!(status(&json!("completed")), Some(Status::Completed));
        assert_eq!(status(&json!(0)), Some(Status::New));
        assert_eq!(status(&json!("1")), Some(Status::Cancelled));
        assert_eq!(status(&json!(9)), Some(Status::Other(9)));
        assert_eq!(status(&json!("Refunded")), None);
        assert_eq!(status(&json!(99999)), None);
    }

    #[test]
    fn times_with_seven_decimals_with_and_without_a_zone() {
        let at = |text: &str| time(&json!(text)).unwrap();
        let expected = FieldPatch::Value("2026-11-22T18:16:38.8001296Z".parse().unwrap());
        assert_eq!(at("2026-11-22T18:16:38.8001296Z"), expected);
        assert_eq!(at("2026-11-22T18:16:38.8001296"), expected);
        assert_eq!(at("2026-11-23T03:16:38.800129699+09:00"), expected);
        assert_eq!(at("0001-01-01T00:00:00"), FieldPatch::Null);
        assert_eq!(time(&json!("yesterday")), None);
        assert_eq!(time(&json!(5)), None);
    }
}
