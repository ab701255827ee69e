//! An operation while it runs: how far it is, stopping it, leaving its card and coming back to it. No IO and no clock.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use uuid::Uuid;

use super::{Effects, Request, Stage, State, copied};
use crate::{
    domain::text::thousands,
    ops::operation::{Leaving, Outcome, Plan, PlanError, Progress, StepKind},
    tui::{
        effect::{Effect, Lane},
        shared::Shared,
        ui::{action::Keys, plan_card},
    },
};

/// What is being run.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: Uuid,
    pub(super) title: String,
    /// It takes back the newest reversible operation.
    reverses: bool,
    /// A transaction is short and never stopped.
    pub(super) steps: StepKind,
    /// What is finished before it stops.
    step: &'static str,
    pub(super) progress: Progress,
    leaving: Leaving,
    /// It was told to stop.
    stopping: bool,
}

impl Running {
    /// What stands in its way, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        self.progress.lines()
    }

    /// Whether it is more than a moment.
    pub(super) fn takes_time(&self) -> bool {
        self.steps != StepKind::OneTransaction
    }

    /// What becomes of it when the console is left.
    pub(super) fn leaving(&self) -> String {
        match (self.leaving, self.progress.number) {
            (Leaving::Finishes, _) => "leaving waits until it is written".to_owned(),
            (Leaving::Stops, _) => {
                format!(
                    "leaving stops it after the {} under way; how far it came is recorded",
                    self.step
                )
            }
            (Leaving::Pauses, Some(number)) if self.progress.of > 0 => format!(
                "leaving pauses #{number} after the batch under way; any console can resume it"
            ),
            // Its list is being written.
            (Leaving::Pauses, _) => "leaving stops it before its first batch".to_owned(),
        }
    }

    /// The last line of its card.
    pub(super) fn foot(&self, keys: &Keys) -> String {
        let Progress { done, of, .. } = self.progress;
        let pace = self.progress.pace().map_or_else(String::new, |pace| format!(", {pace}"));
        let number = |number: u64| thousands(i64::try_from(number).unwrap_or(i64::MAX));
        let far = match of {
            0 => "running …".to_owned(),
            _ => format!("running … {} of {}{pace}", number(done), number(of)),
        };
        let step = self.step;
        let key = |name| plan_card::shown(keys, name);
        if self.stopping {
            let back = key("plan.back");
            return format!("{far}  stopping after this {step}  {back} leaves the card");
        }
        let (back, leave) = (key("plan.back"), key("plan.leave"));
        format!("{far}  {back} stops after this {step}  {leave} leaves it running")
    }
}

/// Runs a plan, once: what is running already is not asked for again.
pub(super) fn begin(state: &mut State, plan: Arc<Plan>) -> Effects {
    let Stage::Plan(proposal) = &mut state.stage else { return vec![] };
    if state.running.is_some() {
        return vec![];
    }
    let typed = proposal.card.typed();
    if !typed.is_empty() {
        typed.clone_into(&mut proposal.confirmed);
    }
    proposal.card.clear();
    proposal.ended = None;
    state.running = Some(Running {
        id: plan.request.id,
        title: plan.title.clone(),
        reverses: proposal.draft.reverses,
        steps: plan.spec().steps,
        step: plan.spec().kind.step(),
        progress: Progress::default(),
        leaving: plan.spec().leaving,
        stopping: false,
    });
    let confirmed = proposal.confirmed.clone();
    vec![Effect::Run(Lane::Every, Request::Run { plan, confirmed })]
}

/// What runs, if it can be stopped and its card is open.
pub(super) fn stoppable(state: &State) -> Option<&Running> {
    let Stage::Plan(proposal) = &state.stage else { return None };
    let running = state.running.as_ref()?;
    let own = proposal.plan.value.as_ref().is_some_and(|plan| plan.request.id == running.id);
    Some(running).filter(|running| own && running.steps != StepKind::OneTransaction)
}

/// Keys while it runs: Esc stops it, q lets it run on by itself.
pub(super) fn key(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    let stopping = stoppable(state).is_some_and(|running| running.stopping);
    let Stage::Plan(proposal) = &mut state.stage else { return vec![] };
    match proposal.card.key(key, None, &shared.keys) {
        plan_card::Answer::Left if !stopping => halt(state),
        plan_card::Answer::Left | plan_card::Answer::Leave => {
            if let Stage::Plan(proposal) = std::mem::take(&mut state.stage) {
                state.left_running = Some(proposal);
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
    running.stopping = true;
    vec![Effect::Run(Lane::Every, Request::Halt { id: running.id })]
}

/// Back to the card of what still runs; whether there is one.
pub(super) fn back(state: &mut State) -> bool {
    let Some(proposal) = state.left_running.take() else { return false };
    state.stage = Stage::Plan(proposal);
    true
}

/// It is so far.
pub(super) fn progressed(state: &mut State, id: Uuid, progress: Progress) {
    if let Some(running) = state.running.as_mut().filter(|running| running.id == id) {
        running.progress = progress;
    }
}

/// It has ended: told on its card, or in a line where that was left.
pub(super) fn ended(state: &mut State, id: Uuid, result: Result<Outcome, PlanError>) -> Effects {
    let Some(running) = state.running.take_if(|running| running.id == id) else { return vec![] };
    state.left_running = None;
    if let Ok(outcome) = &result {
        if running.reverses {
            state.reversible.pop();
        }
        if let Some(reverse) = &outcome.reverse {
            state.reversible.push((running.title.clone(), reverse.clone()));
        }
    }
    if let Stage::Plan(proposal) = &mut state.stage
        && proposal.plan.value.as_ref().is_some_and(|plan| plan.request.id == id)
    {
        proposal.ended = Some(result);
        return vec![];
    }
    let title = running.title;
    vec![match result {
        Ok(outcome) if outcome.partly => Effect::Warn(format!("{title}: {}", outcome.told)),
        Ok(outcome) => Effect::Tell(format!("{title}: {}", outcome.told)),
        Err(error) => Effect::Warn(format!("{title}: {error}")),
    }]
}
