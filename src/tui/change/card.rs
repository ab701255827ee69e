//! A plan as the card shows it, with what is personal covered.

use uuid::Uuid;

use super::{Asked, Made, Proposal};
use crate::{
    domain::{
        decide::Command,
        id::BuyerId,
        mask::{MASK, mask_json},
    },
    ops::plan::{Check, Intent, Plan, Verdict},
    tui::{
        shared::Shared,
        ui::plan_card::{Card, Mark},
        words,
    },
};

/// What stands on the card.
pub(super) fn card(made: &Made, proposal: &Proposal, shared: &Shared) -> Card {
    let place = shared.place();
    let target = place.map_or_else(String::new, |place| {
        format!("[{}] {}@{}", place.context.to_uppercase(), place.database, place.host)
    });
    let now = shared.now;
    let left = shared.unlocked.as_ref().map(|timed| timed.clock(now.instant));
    let checked = proposal.plan.seen_at.map(|at| words::since(at, shared)).unwrap_or_default();
    let card = Card {
        kind: made.kind(),
        title: made.title().to_owned(),
        target,
        you: place.map_or_else(String::new, |place| format!("{} ({})", place.operator, place.role)),
        lock_left: left.unwrap_or_default(),
        checked: format!("{checked} ago"),
        cli_equivalent: made.cli_equivalent().to_owned(),
        word: made.phrase(&shared.policy),
        ..Card::default()
    };
    match made {
        Made::Write(plan) => write(plan, proposal, shared, card),
        Made::Errand(plan) => Card {
            command: plan.intent.to_owned(),
            reason: Some(plan.reason.clone()),
            checks: plan.sheet.checks.iter().map(mark).collect(),
            effects: plan.sheet.effects.clone(),
            undo: plan.sheet.undo.to_owned(),
            listed: plan.sheet.listed.clone(),
            ..card
        },
    }
}

/// What only a write has.
fn write(plan: &Plan, proposal: &Proposal, shared: &Shared, card: Card) -> Card {
    let masked = |text: &str| if shared.masked { covered(text) } else { text.to_owned() };
    let cli_equivalent = match hidden(&proposal.asked, shared) {
        Some(id) => format!("orderscope buyer address {id} …   (masked: R shows it)"),
        None => plan.cli_equivalent.clone(),
    };
    Card {
        command: plan.request.intent.name().to_owned(),
        reason: plan.request.why().map(ToOwned::to_owned),
        checks: plan.checks.iter().map(mark).collect(),
        effects: plan
            .effects
            .iter()
            .map(|effect| (effect.table.to_owned(), effect.change.clone()))
            .collect(),
        undo: plan.undo.clone(),
        cli_equivalent,
        listed: plan.statements.iter().map(|statement| masked(statement)).collect(),
        ..card
    }
}

fn mark(check: &Check) -> (Mark, String) {
    let mark = match check.verdict {
        Verdict::Ok => Mark::Ok,
        Verdict::Warn => Mark::Warn,
        Verdict::Blocking => Mark::Block,
        Verdict::Unknown => Mark::Unknown,
    };
    (mark, check.text.clone())
}

/// The buyer whose old address a command holds, where that may not be seen. What someone just typed they may
/// see; what was taken from the database not.
pub(super) fn hidden(asked: &Asked, shared: &Shared) -> Option<BuyerId> {
    let Asked::Write(draft) = asked else { return None };
    match &draft.intent {
        Intent::Command(Command::UpdateBuyerAddress { id, .. })
            if draft.reverses && shared.masked =>
        {
            Some(*id)
        }
        _ => None,
    }
}

/// SQL whose quoted texts are covered: ids, times and numbers stay, JSON is covered
/// under its personal keys, everything else may be personal.
fn covered(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\'') {
        out.push_str(&rest[..=start]);
        rest = &rest[start + 1..];
        let (literal, after) = literal(rest);
        out.push_str(&veiled(&literal));
        out.push('\'');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The text up to the quote that ends it (two are one inside), and what follows.
fn literal(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            out.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
            chars.next();
            out.push('\'');
        } else {
            return (out, &text[at + 1..]);
        }
    }
    (out, "")
}

fn veiled(text: &str) -> String {
    let plain = text.is_empty()
        || Uuid::try_parse(text).is_ok()
        || text.parse::<f64>().is_ok()
        || chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").is_ok();
    if plain {
        return text.to_owned();
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(mut body) if body.is_object() || body.is_array() => {
            mask_json(&mut body);
            body.to_string().replace('\'', "''")
        }
        _ => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_covered_ids_times_and_numbers_are_not() {
        let id = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41";
        let sql = format!(
            "UPDATE buyers SET name = 'O''Le', n = '7' WHERE id = '{id}' AND at = \
             '2026-11-22T09:12:04Z' AND data = '{{\"Note\":\"x\",\"Id\":\"{id}\"}}'"
        );
        let shown = covered(&sql);
        assert_eq!(
            shown,
            format!(
                "UPDATE buyers SET name = '{MASK}', n = '7' WHERE id = '{id}' AND at = \
                 '2026-11-22T09:12:04Z' AND data = '{{\"Note\":\"{MASK}\",\"Id\":\"{id}\"}}'"
            )
        );
        assert_eq!(covered("it's"), format!("it'{MASK}'"));
        assert_eq!(covered("plain"), "plain");
    }
}
