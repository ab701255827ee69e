//! An errand while it runs: how far it is, stopping it, leaving its card and coming back to it. No IO and no
//! clock.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use uuid::Uuid;

use super::{
    Made, Outcome, Request, Running, Stage, State, Trouble,
    update::{Effects, copied},
};
use crate::{
    domain::diagnosis::thousands,
    tui::{
        effect::{Effect, Lane},
        shared::Shared,
        ui::plan_card,
    },
    workers::errand::{Ended, Error, Plan, Progress},
};

/// How far an errand is.
#[derive(Debug, Clone, Default)]
pub(super) struct Under {
    pub(super) progress: Progress,
    /// It was told to stop.
    pub(super) stopping: bool,
}

/// Runs what was planned.
pub(super) fn begin(state: &mut State, plan: Arc<Plan>) -> Effects {
    let (id, title) = (plan.id, plan.sheet.title.clone());
    let under = Some(Under::default());
    state.running = Some(Running { id, title, reverses: false, under });
    vec![Effect::Run(Lane::Every, Request::Work { plan })]
}

/// What runs, if it is an errand and its card is open.
pub(super) fn shown(state: &State) -> Option<&Under> {
    let Stage::Plan(proposal) = &state.stage else { return None };
    let running = state.running.as_ref()?;
    let own = proposal.plan.value.as_ref().is_some_and(|made| made.id() == running.id);
    running.under.as_ref().filter(|_| own)
}

/// Keys while it runs: Esc stops it, q lets it run on by itself.
pub(super) fn key(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    let stopping = shown(state).is_some_and(|under| under.stopping);
    let Stage::Plan(proposal) = &mut state.stage else { return vec![] };
    match proposal.card.key(key, None, &shared.keys) {
        plan_card::Answer::Left if !stopping => halt(state),
        plan_card::Answer::Left | plan_card::Answer::Leave => {
            if let Stage::Plan(proposal) = std::mem::take(&mut state.stage) {
                state.aside = Some(proposal);
            }
            let told = "it runs on, and its end is told; x comes back to its card";
            vec![Effect::Tell(told.to_owned())]
        }
        plan_card::Answer::Copy => copied(proposal).into_iter().collect(),
        _ => vec![],
    }
}

fn halt(state: &mut State) -> Effects {
    let Some(running) = &mut state.running else { return vec![] };
    if let Some(under) = &mut running.under {
        under.stopping = true;
    }
    vec![Effect::Run(Lane::Every, Request::Halt { id: running.id })]
}

/// Back to the card of what still runs; whether there is one.
pub(super) fn back(state: &mut State) -> bool {
    let Some(proposal) = state.aside.take() else { return false };
    state.stage = Stage::Plan(proposal);
    true
}

/// It is so far.
pub(super) fn went(state: &mut State, id: Uuid, progress: Progress) {
    let running = state.running.as_mut().filter(|running| running.id == id);
    if let Some(under) = running.and_then(|running| running.under.as_mut()) {
        under.progress = progress;
    }
}

/// It has ended: told on its card, or in a line where that was left.
pub(super) fn ended(state: &mut State, id: Uuid, result: Result<Ended, Error>) -> Effects {
    let Some(running) = state.running.take_if(|running| running.id == id) else { return vec![] };
    state.aside = None;
    if let Stage::Plan(proposal) = &mut state.stage
        && proposal.plan.value.as_ref().is_some_and(|made| made.id() == id)
    {
        proposal.ended = Some(result.map(Outcome::Errand).map_err(Trouble::Errand));
        return vec![];
    }
    vec![match result {
        Ok(ended) if ended.partly => Effect::Warn(format!("{}: {}", running.title, ended.told)),
        Ok(ended) => Effect::Tell(format!("{}: {}", running.title, ended.told)),
        Err(error) => Effect::Warn(format!("{}: {error}", running.title)),
    }]
}

/// The last line of its card.
pub(super) fn foot(under: &Under, made: &Made) -> String {
    let Progress { done, of, .. } = under.progress;
    let number = |number: u64| thousands(i64::try_from(number).unwrap_or(i64::MAX));
    let far = match of {
        0 => "running …".to_owned(),
        _ => format!("running … {} of {}", number(done), number(of)),
    };
    let what = match made {
        Made::Errand(plan) => plan.work.step(),
        Made::Write(_) => "step",
    };
    if under.stopping {
        return format!("{far}  stopping after this {what}  Esc leaves the card");
    }
    format!("{far}  Esc stops after this {what}  q leaves it running")
}
