//! A plan as the card shows it, with what is personal covered.

use super::{Draft, Proposal};
use crate::{
    domain::{decide::Command, id::BuyerId},
    ops::operation::{Operation, Plan, StepKind, Verdict},
    tui::{
        shared::Shared,
        ui::plan_card::{Card, Mark},
        words,
    },
};

/// What a plan says, whoever shows it.
#[must_use]
pub fn facts(plan: &Plan, masked: bool) -> Card {
    let mark = |verdict| match verdict {
        Verdict::Ok => Mark::Ok,
        Verdict::Warn => Mark::Warn,
        Verdict::Blocking | Verdict::Nothing => Mark::Block,
        Verdict::Unknown => Mark::Unknown,
    };
    let (lists, unlisted) = match plan.spec().steps {
        StepKind::OneTransaction => ("SQL", "none"),
        StepKind::BrokerMessages => {
            ("messages", "not known one by one: they go in the order they wait in")
        }
    };
    Card {
        title: plan.title.clone(),
        command: plan.spec().name.to_owned(),
        reason: plan.request.why().map(ToOwned::to_owned),
        checks: plan.checks.iter().map(|check| (mark(check.verdict), check.text.clone())).collect(),
        would: plan.would(),
        effects: plan
            .effects
            .iter()
            .map(|effect| (effect.place.clone().into_owned(), effect.change.clone()))
            .collect(),
        undo: plan.undo().to_owned(),
        cli_equivalent: plan.cli_equivalent.clone(),
        word: plan.confirmation.phrase.clone(),
        lists,
        listing: format!("{}, in this order", plan.spec().steps.listed()),
        listed: plan.shown(masked).iter().map(ToString::to_string).collect(),
        unlisted,
        ..Card::default()
    }
}

/// What stands on the card.
pub(super) fn card(plan: &Plan, proposal: &Proposal, shared: &Shared) -> Card {
    let place = shared.place();
    let target = place.map_or_else(String::new, |place| {
        format!("[{}] {}@{}", place.context.to_uppercase(), place.database, place.host)
    });
    let now = shared.now;
    let left = shared.unlocked.as_ref().map(|timed| timed.clock(now.instant));
    let checked = proposal.plan.seen_at.map(|at| words::since(at, shared)).unwrap_or_default();
    let facts = facts(plan, shared.masked);
    let cli_equivalent = match hidden(&proposal.draft, shared) {
        Some(id) => format!("orderscope buyer address {id} …   (masked: R shows it)"),
        None => facts.cli_equivalent.clone(),
    };
    Card {
        target,
        you: place.map_or_else(String::new, |place| format!("{} ({})", place.operator, place.role)),
        lock_left: left.unwrap_or_default(),
        checked: format!("{checked} ago"),
        cli_equivalent,
        ..facts
    }
}

/// The buyer whose old address a command holds, where that may not be seen. What someone just typed they may
/// see; what was taken from the database not.
pub(super) fn hidden(draft: &Draft, shared: &Shared) -> Option<BuyerId> {
    match &draft.operation {
        Operation::Order(Command::UpdateBuyerAddress { id, .. })
            if draft.reverses && shared.masked =>
        {
            Some(*id)
        }
        _ => None,
    }
}
