//! Words and styles for what the domain found, the same on every screen.

use ratatui::style::Style;

use super::{shared::Shared, ui::theme::Theme};
use crate::{
    db::messages::{Delivery, Message},
    domain::{age, compare::Agreement, text},
};

/// An agreement in a few words.
#[must_use]
pub fn agreement(agreement: &Agreement, theme: &Theme) -> (String, Style) {
    match agreement {
        Agreement::Same => ("= events".to_owned(), theme.ok),
        Agreement::Differs { field, says, events } => {
            (format!("≠ events: {field} {says}, not {events}"), theme.danger)
        }
        Agreement::Missing => ("nothing to compare: one is missing".to_owned(), theme.danger),
        Agreement::NotExpected(why) => (format!("none ({why})"), theme.muted),
        Agreement::Behind => ("behind: the projection is not there yet".to_owned(), theme.warn),
        Agreement::Unknown(why) => (format!("cannot tell: {}", text::clean(why)), theme.warn),
    }
}

/// The contract's own name: `urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent` is
/// `UserCheckedOut`.
#[must_use]
pub fn contract(urn: &str) -> &str {
    let name = urn.rsplit(':').next().unwrap_or(urn);
    name.strip_suffix("IntegrationEvent").unwrap_or(name)
}

/// Where a message stands, and since when.
#[must_use]
pub fn delivery(message: &Message, shared: &Shared, theme: &Theme) -> (String, Style) {
    match message.delivery {
        Delivery::Pending => {
            (format!("PENDING {}", age::since(message.published, shared.now.utc)), theme.danger)
        }
        Delivery::Delivered => ("delivered".to_owned(), theme.ok),
        Delivery::Orphan => ("ORPHAN".to_owned(), theme.danger),
    }
}
