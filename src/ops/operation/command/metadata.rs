//! What every row of one operation carries: its id, its time, who and why, and what caused it.

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};

use super::super::{origin::Origin, plan::PlanRequest, writer::Writer};
use crate::{
    db::write::Number,
    domain::{derived::Derived, envelope::Host},
};

/// The marks of one operation.
#[derive(Debug, Clone)]
pub struct EventMetadata<'a> {
    pub derived: Derived,
    pub at: DateTime<Utc>,
    pub origin: Option<&'a Origin>,
    pub number: Number,
    pub host: Host,
    /// Of the event: the trace it belongs to.
    pub correlation: String,
    /// The span that caused it.
    pub causation: String,
    pub traceparent: String,
    /// The event's headers.
    pub headers: Value,
}

impl<'a> EventMetadata<'a> {
    /// The marks of a request. `dry`: nothing is drawn from a sequence.
    pub fn new(
        writer: &Writer,
        request: &PlanRequest,
        origin: Option<&'a Origin>,
        now: DateTime<Utc>,
        dry: bool,
    ) -> Self {
        let at = now.trunc_subsecs(6);
        let derived = Derived::new(request.id, at);
        let span = derived.span();
        let inbound = origin.and_then(|origin| parts(origin.traceparent.as_deref()?));
        let (trace, causation) = match inbound {
            Some((trace, parent)) => (trace, parent),
            None => (derived.trace(), span.clone()),
        };
        let traceparent = format!("00-{trace}-{span}-01");
        let operator = &writer.operator;
        let mut headers = json!({
            "traceparent": traceparent,
            "user": operator.name,
            "operation": request.id,
        });
        if let (Some(reason), Value::Object(headers)) = (request.why(), &mut headers) {
            headers.insert("reason".to_owned(), json!(reason));
        }
        let number = if dry {
            // Far below every number that was ever drawn, and hardly ever another dry run's.
            let (high, _) = request.id.as_u64_pair();
            Number::Placeholder(-1 - (high >> 2).cast_signed())
        } else {
            Number::Next
        };
        Self {
            derived,
            at,
            origin,
            number,
            host: Host {
                machine: operator.host.clone(),
                process: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            correlation: trace,
            causation,
            traceparent,
            headers,
        }
    }
}

/// Trace and span of a W3C `traceparent`; none if it is not one.
fn parts(traceparent: &str) -> Option<(String, String)> {
    let mut parts = traceparent.split('-').skip(1);
    let (trace, span) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    (is_hex(trace, 32) && is_hex(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_trace_is_carried_on() {
        let whole = "00-03d1df5d31dd11b6aedae8a1f12fd984-99fa2ae7807e0b0d-01";
        let (trace, span) = parts(whole).unwrap();
        assert_eq!((trace.as_str(), span.as_str()), (&whole[3..35], &whole[36..52]));
        assert_eq!(parts("00-03d1-99fa-01"), None);
        assert_eq!(parts("nonsense"), None);
    }
}
