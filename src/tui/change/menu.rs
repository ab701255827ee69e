//! The commands there are, and which of them the order under the cursor takes.

use uuid::Uuid;

use super::{Kind, Menu, deeds};
use crate::{
    domain::{
        decide::{Command, Facts, Refusal, decide},
        id::BuyerId,
    },
    ops::plan::Intent,
    tui::{selection::Subject, shared::Shared},
};

/// One line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub kind: Kind,
    pub key: char,
    pub title: &'static str,
    /// Why not now: the words, and the rule's name.
    pub refused: Option<(String, &'static str)>,
}

const ITEMS: [(Kind, char, &str); 7] = [
    (Kind::Complete, 'c', "complete the order"),
    (Kind::Cancel, 'x', "cancel the order, with a reason"),
    (Kind::Delete, 'd', "delete the order (softly: it can be restored)"),
    (Kind::Restore, 'r', "restore the deleted order"),
    (Kind::Address, 'a', "change the buyer's address"),
    (Kind::NewOrder, 'n', "new order"),
    (Kind::NewBuyer, 'b', "new buyer"),
];

/// Every command; those that the order does not take say which rule forbids it.
pub(super) fn items(menu: &Menu, shared: &Shared) -> Vec<Item> {
    if let Some(matter) = &menu.matter {
        return deeds::items(matter, shared);
    }
    let subject = menu.subject.as_ref();
    let item = |(kind, key, title)| {
        let refused = refusal(kind, subject, shared);
        Item { kind, key, title, refused }
    };
    ITEMS.into_iter().map(item).collect()
}

fn refusal(
    kind: Kind,
    subject: Option<&Subject>,
    shared: &Shared,
) -> Option<(String, &'static str)> {
    if matches!(kind, Kind::NewOrder | Kind::NewBuyer) {
        return None;
    }
    let Some(subject) = subject else {
        return Some(("no order is chosen".to_owned(), "order-chosen"));
    };
    let id = subject.order.id;
    let command = match kind {
        Kind::Complete => Command::CompleteOrder { id },
        // Any reason does to see whether the order takes it.
        Kind::Cancel => Command::CancelOrder { id, reason: "-".to_owned() },
        Kind::Delete => Command::DeleteOrder { id },
        Kind::Restore => Command::RestoreOrder { id },
        Kind::Address if subject.order.buyer_id.is_none() => {
            let refusal = Refusal::UnknownBuyer(BuyerId(Uuid::nil()));
            return Some(("the buyer of this order is not known".to_owned(), refusal.rule()));
        }
        Kind::Address
        | Kind::NewOrder
        | Kind::NewBuyer
        | Kind::OutboxAction(_)
        | Kind::Errand(_) => {
            return None;
        }
    };
    let facts = Facts { order: Some(&subject.order), buyer: None, now: shared.now.utc };
    let refusal = decide(&facts, &command).err()?;
    Some((refusal.to_string(), refusal.rule()))
}

/// A few words for an intent, where no plan has named it yet.
pub(super) fn named(intent: &Intent) -> String {
    let command = match intent {
        Intent::Command(command) => command,
        Intent::Messages(deed) => return crate::ops::deeds::title(deed),
    };
    match command {
        Command::CreateOrder { .. } => "new order".to_owned(),
        Command::CreateBuyer { .. } => "new buyer".to_owned(),
        Command::CompleteOrder { id } => format!("complete order {}", id.short()),
        Command::CancelOrder { id, .. } => format!("cancel order {}", id.short()),
        Command::DeleteOrder { id } => format!("delete order {}", id.short()),
        Command::RestoreOrder { id } => format!("restore order {}", id.short()),
        Command::UpdateBuyerAddress { id, .. } => format!("change address of buyer {}", id.short()),
    }
}
