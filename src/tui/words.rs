//! Words and styles for what the domain found, the same on every screen.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use ratatui::style::Style;

pub use super::ui::wrap::wrapped;
use super::{shared::Shared, ui::theme::Theme};
use crate::{
    domain::{age, compare::Agreement, mask, order::Order, outbox::Delivery, text},
    ops::history::Message,
};

/// How a source stands to the events, in a few words.
#[must_use]
pub fn agreement(agreement: &Agreement, theme: &Theme) -> (String, Style) {
    match agreement {
        Agreement::Match => ("= events".to_owned(), theme.ok),
        Agreement::Behind { events, .. } => {
            (format!("summary lags by {}", text::counted(*events, "event")), theme.warn)
        }
        Agreement::Archived => ("archived: with or without is right".to_owned(), theme.muted),
        Agreement::Differs(differences) => {
            let said = differences.iter().map(|difference| {
                let say = |datum: &Option<crate::domain::diff::Datum>| match datum {
                    _ if difference.field.is_personal() => "(masked)".to_owned(),
                    Some(datum) => text::cut(&datum.to_string(), 24),
                    None => "nothing".to_owned(),
                };
                format!(
                    "{} {}, events {}",
                    difference.field,
                    say(&difference.other),
                    say(&difference.events)
                )
            });
            (format!("≠ {}", said.collect::<Vec<_>>().join("; ")), theme.danger)
        }
        Agreement::Missing => ("≠ missing".to_owned(), theme.danger),
        Agreement::Alone => ("≠ no event of it was found".to_owned(), theme.danger),
        Agreement::Absent => ("not there, not expected".to_owned(), theme.muted),
        Agreement::Unknown(why) => (format!("? {}", text::clean(why)), theme.warn),
    }
}

/// The same where there is hardly room.
#[must_use]
pub fn brief(agreement: &Agreement, theme: &Theme) -> (String, Style) {
    let words = match agreement {
        Agreement::Match => "= events".to_owned(),
        Agreement::Behind { events, .. } => format!("~ {events} behind"),
        Agreement::Archived => "archived".to_owned(),
        Agreement::Differs(_) => "≠ events".to_owned(),
        Agreement::Missing => "≠ missing".to_owned(),
        Agreement::Alone => "≠ no events".to_owned(),
        Agreement::Absent => "none".to_owned(),
        Agreement::Unknown(_) => "? cannot tell".to_owned(),
    };
    (words, sign_style(agreement, theme))
}

/// The style that goes with an agreement's sign.
#[must_use]
pub fn sign_style(agreement: &Agreement, theme: &Theme) -> Style {
    match agreement {
        Agreement::Match => theme.ok,
        Agreement::Behind { .. } | Agreement::Unknown(_) => theme.warn,
        Agreement::Archived | Agreement::Absent => theme.muted,
        Agreement::Differs(_) | Agreement::Missing | Agreement::Alone => theme.danger,
    }
}

/// A buyer's name as it may be shown; `?` where none is known.
#[must_use]
pub fn name(name: Option<&str>, shared: &Shared) -> String {
    match name {
        None => "?".to_owned(),
        Some(name) if shared.masked => mask::mask_name(name),
        Some(name) => text::clean(name).into_owned(),
    }
}

/// The order's total; `?` where it is not known.
#[must_use]
pub fn total(order: &Order) -> String {
    if order.unread.is_some() { "?".to_owned() } else { order.total.to_string() }
}

/// Where a message stands, and since when.
#[must_use]
pub fn delivery(message: &Message, shared: &Shared, theme: &Theme) -> (String, Style) {
    let style = match message.delivery {
        Delivery::Pending | Delivery::Orphan => theme.danger,
        Delivery::Delivered => theme.ok,
        Delivery::Unknown => theme.warn,
    };
    (message.delivery.with_age(message.published, shared.now.utc), style)
}

/// The time since an instant of the monotonic clock, in words.
#[must_use]
pub fn since(then: Instant, shared: &Shared) -> String {
    length(shared.now.instant.saturating_duration_since(then))
}

/// A length of time in words.
#[must_use]
pub fn length(length: Duration) -> String {
    age::length(TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX))
}
