//! All screens, and which of them is on show: what the root asks, it asks here.

use std::{any::Any, time::Instant};

use ratatui::{Frame, layout::Rect};

use super::{
    Common, Fit, Input, SCREENS, Screen, ScreenId, Spec,
    erased::{Boxed, Erased, Msg, Pressed, Request},
};
use crate::tui::{
    effect::Effect,
    route::{NoLink, Route},
    selection::Selection,
    shared::{Remembered, Shared},
    ui::{
        action::{Action, Chord, Info, Keys},
        hits::Hits,
        theme::Theme,
    },
};

type Effects = Vec<Effect<Request>>;

/// The state of every screen, and which of them is on show.
#[derive(Debug)]
pub struct Screens {
    all: Vec<Boxed>,
    shown: usize,
}

impl Default for Screens {
    fn default() -> Self {
        Self { all: SCREENS.iter().map(|screen| screen()).collect(), shown: 0 }
    }
}

impl Screens {
    /// The same with one more.
    #[cfg(test)]
    #[must_use]
    pub fn and<S: Screen>(mut self) -> Self {
        self.all.push(super::boxed::<S>());
        self
    }

    fn here(&self) -> &dyn Erased {
        &*self.all[self.shown].0
    }

    fn here_mut(&mut self) -> &mut dyn Erased {
        &mut *self.all[self.shown].0
    }

    fn find(&self, id: ScreenId) -> Option<&dyn Erased> {
        self.all.iter().map(|screen| &*screen.0).find(|screen| screen.spec().id == id)
    }

    /// The state of the screen `S`.
    #[must_use]
    pub fn get<S: Screen>(&self) -> Option<&S> {
        self.find(S::SPEC.id).and_then(|screen| (screen as &dyn Any).downcast_ref())
    }

    /// How each is listed, in the order of the tabs.
    #[must_use]
    pub fn specs(&self) -> Vec<Spec> {
        self.all.iter().map(|screen| screen.0.spec()).collect()
    }

    /// Which is on show.
    #[must_use]
    pub fn shown(&self) -> ScreenId {
        self.here().spec().id
    }

    /// Puts another on show.
    pub fn show(&mut self, id: ScreenId) {
        if let Some(at) = self.all.iter().position(|screen| screen.0.spec().id == id) {
            self.shown = at;
        }
    }

    /// Where a console begins.
    #[must_use]
    pub fn home(&self) -> Route {
        Route::new(self.all.first().map_or("", |screen| screen.0.spec().word))
    }

    /// Which screen a place is on; none where it is no place at all.
    #[must_use]
    pub fn of(&self, route: &Route) -> Option<ScreenId> {
        let found = self.all.iter().find(|screen| screen.0.knows(route))?;
        Some(found.0.spec().id)
    }

    /// Reads a link: the context it names and the place.
    ///
    /// # Errors
    /// When no screen knows the place.
    pub fn read(&self, link: &str) -> Result<(String, Route), NoLink> {
        let read = Route::of_link(link).filter(|(_, route)| self.of(route).is_some());
        read.ok_or_else(|| {
            let specs = self.specs();
            let forms: Vec<_> =
                specs.iter().map(|spec| format!("ops://CONTEXT/{}", spec.link)).collect();
            let forms = match forms.split_last() {
                Some((last, rest)) if !rest.is_empty() => {
                    format!("{} or {last}", rest.join(", "))
                }
                _ => forms.concat(),
            };
            NoLink { forms }
        })
    }

    /// Goes to a place on the screen that is on show.
    pub fn open(&mut self, route: &Route, shared: &Shared) -> Effects {
        self.here_mut().open(route, shared)
    }

    /// Lets a screen answer its message.
    pub fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        let found = self.all.iter_mut().find(|screen| screen.0.spec().id == msg.to);
        found.map_or_else(Vec::new, |screen| screen.0.update(msg, shared))
    }

    /// Tells the screen on show what every screen is told.
    pub fn input(&mut self, input: Input, shared: &Shared) -> Effects {
        self.here_mut().input(input, shared)
    }

    /// Draws it.
    pub fn view(&self, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) -> Hits<Msg> {
        self.here().view(shared, theme, frame, area)
    }

    /// Whether a common key means anything on it now, or why not.
    pub fn offers(&self, common: Common) -> Result<(), &'static str> {
        self.here().offers(common)
    }

    /// Tells it what drawing learned about its panes.
    pub fn fit(&mut self, fits: &[Fit]) {
        self.here_mut().fit(fits);
    }

    /// The place on screen, for links and history.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        self.here().route()
    }

    /// The place where a screen was left.
    #[must_use]
    pub fn left(&self, id: ScreenId) -> Option<Route> {
        self.find(id)?.route()
    }

    /// The last line but one: where we are.
    #[must_use]
    pub fn crumb(&self, shared: &Shared) -> String {
        self.here().crumb(shared)
    }

    /// The headless verb that shows the same as a screen.
    #[must_use]
    pub fn cli_equivalent(&self, id: ScreenId) -> String {
        self.find(id).map_or_else(String::new, Erased::cli_equivalent)
    }

    /// When the data on screen was read.
    #[must_use]
    pub fn seen_at(&self) -> Option<Instant> {
        self.here().seen_at()
    }

    /// When something on screen moves by itself next.
    #[must_use]
    pub fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        self.here().wakes_at(shared)
    }

    /// What operations would be about.
    #[must_use]
    pub fn selection(&self) -> Selection {
        self.here().selection()
    }

    /// What is looked at, for the record of who saw personal data.
    #[must_use]
    pub fn looked_at(&self) -> String {
        self.here().looked_at()
    }

    /// The number for a screen's tab.
    #[must_use]
    pub fn badge(&self, id: ScreenId, shared: &Shared) -> Option<String> {
        self.find(id)?.badge(shared)
    }

    /// Whether keys are being typed as text.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.here().is_typing()
    }

    /// The keys of a screen while text is typed there, beyond those of every field.
    #[must_use]
    pub fn typing(&self, id: ScreenId) -> &'static [Action<(), ()>] {
        self.find(id).map_or(&[], |screen| screen.typing())
    }

    /// Gives every screen what was remembered.
    pub fn recall(&mut self, kept: &Remembered) {
        for screen in &mut self.all {
            screen.0.recall(kept);
        }
    }

    /// A screen's own actions as help and palette show them.
    #[must_use]
    pub fn infos(&self, id: ScreenId, keys: &Keys) -> Vec<Info> {
        self.find(id).map_or_else(Vec::new, |screen| screen.infos(keys))
    }

    /// The same as if all of it were possible.
    #[must_use]
    pub fn listed(&self, id: ScreenId, keys: &Keys) -> Vec<Info> {
        self.find(id).map_or_else(Vec::new, |screen| screen.listed(keys))
    }

    /// What a key sequence means on the screen on show: a message, a reason why not, or more keys.
    #[must_use]
    pub fn pressed(&self, keys: &Keys, chords: &[Chord]) -> Pressed {
        self.here().pressed(keys, chords)
    }

    /// The message of one of its actions by name, for the palette.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Msg> {
        self.here().named(name)
    }
}
