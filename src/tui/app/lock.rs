//! Unlocking writes and revealing personal data: each for a while, for a reason, recorded.

use super::{App, Modal, Msg, Purpose, Request};
use crate::{
    domain::decide::rules,
    tui::{
        effect::{Effect, Lane},
        shared::Timed,
        ui::ask,
    },
};

type Effects = Vec<Effect<Request>>;

impl App {
    /// `w`: asks why, or locks again.
    pub(super) fn toggle_lock(&mut self) -> Effects {
        if self.shared.unlocked.is_some() {
            return self.lock("locked: nothing can be written");
        }
        match self.shared.barred() {
            Some(why) => self.tell(why, true),
            None => {
                let minutes = self.shared.policy.unlock.as_secs().div_ceil(60);
                let text = format!(
                    "Unlocks writes for {minutes} min. Every command still shows its plan first \
                     and asks for a typed word; what runs is recorded with who, when and why."
                );
                let state = ask::State::new("Unlock writes", text, "reason");
                self.modal = Some(Modal::Ask(Purpose::Unlock, Box::new(state)));
            }
        }
        vec![]
    }

    /// `R`: asks why, or covers again.
    pub(super) fn toggle_reveal(&mut self) -> Effects {
        if !self.shared.masked {
            self.cover();
            self.tell("personal data is masked", false);
            return vec![];
        }
        let minutes = self.shared.policy.unlock.as_secs().div_ceil(60);
        let text = format!(
            "Shows names, addresses, notes and reasons for {minutes} min. It is recorded who \
             looked, when, where and why."
        );
        let state = ask::State::new("Reveal personal data", text, "reason");
        self.modal = Some(Modal::Ask(Purpose::Reveal, Box::new(state)));
        vec![]
    }

    /// A reason was typed: asks for what it was given for.
    pub(super) fn asked(&self, purpose: Purpose, reason: String) -> Effects {
        let request = match purpose {
            Purpose::Unlock => Request::Unlock { reason },
            Purpose::Reveal => {
                // Not the query: what people search for may be personal.
                let target = self.screens.looked_at();
                Request::Reveal { reason, target }
            }
        };
        vec![Effect::Run(Lane::Every, request)]
    }

    /// What the reason was given for was done, or not.
    pub(super) fn granted(
        &mut self,
        purpose: Purpose,
        reason: String,
        result: Result<String, String>,
    ) -> Effects {
        let Some(Modal::Ask(asked, state)) = &mut self.modal else {
            // Given up meanwhile.
            return if purpose == Purpose::Unlock && result.is_ok() {
                vec![Effect::Run(Lane::Every, Request::Lock)]
            } else {
                vec![]
            };
        };
        if *asked != purpose {
            return vec![];
        }
        match result {
            Err(why) => state.failed(why),
            Ok(told) => {
                let until = self.shared.now.instant + self.shared.policy.unlock;
                let timed = Some(Timed { until, reason });
                self.modal = None;
                self.tell(told, false);
                match purpose {
                    Purpose::Unlock => self.shared.unlocked = timed,
                    Purpose::Reveal => {
                        self.shared.revealed = timed;
                        self.shared.masked = false;
                    }
                }
            }
        }
        vec![]
    }

    /// Locks writes when their time is over.
    pub(super) fn lock_in_time(&mut self) -> Effects {
        let now = self.shared.now.instant;
        if self.shared.unlocked.as_ref().is_some_and(|timed| timed.until <= now) {
            return self.lock("locked: the time was over; w unlocks again");
        }
        vec![]
    }

    pub(super) fn cover(&mut self) {
        self.shared.revealed = None;
        self.shared.masked = true;
    }

    fn lock(&mut self, told: &str) -> Effects {
        self.shared.unlocked = None;
        self.tell(told, false);
        vec![Effect::Run(Lane::Every, Request::Lock)]
    }

    /// Keys while a reason is asked for.
    pub(super) fn ask_key(&mut self, key: crossterm::event::KeyEvent) -> Vec<Msg> {
        let Some(Modal::Ask(purpose, state)) = &mut self.modal else { return vec![] };
        let check = |text: &str| rules::reason(text).map_err(|refusal| refusal.to_string());
        match state.key(key, &self.shared.keys, check) {
            ask::Answer::Given(reason) => vec![Msg::Asked(*purpose, reason)],
            ask::Answer::Left => vec![Msg::CloseModal],
            ask::Answer::Stays => vec![],
        }
    }
}
