//! A screen behind one type, with its messages and requests, so that the root can hold and address it without knowing
//! it.

use std::{any::Any, fmt, pin::Pin, sync::Arc, time::Instant};

use futures::FutureExt;
use ratatui::{Frame, layout::Rect};

use super::{Common, Fit, Input, Screen, ScreenId, Spec};
use crate::tui::{
    effect::Effect,
    route::{Place, Route},
    selection::Selection,
    services::Cx,
    shared::{Remembered, Shared},
    ui::{
        action::{Action, Chord, Info, KeyMatch, Keys, Risk},
        hits::Hits,
        theme::Theme,
    },
};

type Effects = Vec<Effect<Request>>;

/// A message for one of the screens.
#[derive(Debug, Clone)]
pub struct Msg {
    pub(super) to: ScreenId,
    body: Arc<dyn Body>,
}

trait Body: Any + fmt::Debug + Send + Sync {}

impl<T: Any + fmt::Debug + Send + Sync> Body for T {}

impl Msg {
    /// A message of the screen `S`.
    #[must_use]
    pub fn new<S: Screen>(msg: S::Msg) -> Self {
        Self { to: S::SPEC.id, body: Arc::new(msg) }
    }

    /// The screen's own message.
    fn take<S: Screen>(self) -> Option<S::Msg> {
        let body: Arc<dyn Any + Send + Sync> = self.body;
        body.downcast().ok().map(Arc::unwrap_or_clone)
    }
}

/// Something one of the screens wants loaded.
pub struct Request(Box<dyn Wanted>);

trait Wanted: Any + fmt::Debug + Send {
    fn is(&self, other: &dyn Any) -> bool;
    fn again(&self) -> Box<dyn Wanted>;
    fn load(self: Box<Self>, cx: Cx) -> Pin<Box<dyn Future<Output = Msg> + Send>>;
    fn request(&self) -> &dyn Any;
}

/// A request of the screen `S`.
struct Of<S: Screen>(S::Request);

impl<S: Screen> fmt::Debug for Of<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Screen> Wanted for Of<S> {
    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(&self.0)
    }

    fn again(&self) -> Box<dyn Wanted> {
        Box::new(Self(self.0.clone()))
    }

    fn load(self: Box<Self>, cx: Cx) -> Pin<Box<dyn Future<Output = Msg> + Send>> {
        Box::pin(S::load(self.0, cx).map(Msg::new::<S>))
    }

    fn request(&self) -> &dyn Any {
        &self.0
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Clone for Request {
    fn clone(&self) -> Self {
        Self(self.0.again())
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(other.0.request())
    }
}

impl Request {
    /// A request of the screen `S`.
    #[must_use]
    pub fn new<S: Screen>(request: S::Request) -> Self {
        Self(Box::new(Of::<S>(request)))
    }

    /// The request, if it is one of the screen `S`.
    #[must_use]
    pub fn of<S: Screen>(&self) -> Option<&S::Request> {
        self.0.request().downcast_ref()
    }

    /// Carries it out; never fails: errors are part of the answer.
    #[must_use]
    pub fn load(self, cx: Cx) -> Pin<Box<dyn Future<Output = Msg> + Send>> {
        self.0.load(cx)
    }
}

/// What a key sequence means on a screen.
#[derive(Debug)]
pub enum Pressed {
    /// A message, and what it risks.
    Send(Risk, Msg),
    Refused(&'static str),
    Prefix,
    Nothing,
}

/// A screen without its types: what [`Screen`] declares, as the root asks for it.
pub(super) trait Erased: Any + fmt::Debug + Send {
    fn spec(&self) -> Spec;
    fn update(&mut self, msg: Msg, shared: &Shared) -> Effects;
    fn input(&mut self, input: Input, shared: &Shared) -> Effects;
    fn knows(&self, route: &Route) -> bool;
    fn open(&mut self, route: &Route, shared: &Shared) -> Effects;
    fn view(&self, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) -> Hits<Msg>;
    fn offers(&self, common: Common) -> Result<(), &'static str>;
    fn fit(&mut self, fits: &[Fit]);
    fn route(&self) -> Option<Route>;
    fn crumb(&self, shared: &Shared) -> String;
    fn cli_equivalent(&self) -> String;
    fn seen_at(&self) -> Option<Instant>;
    fn wakes_at(&self, shared: &Shared) -> Option<Instant>;
    fn selection(&self) -> Selection;
    fn looked_at(&self) -> String;
    fn badge(&self, shared: &Shared) -> Option<String>;
    fn is_typing(&self) -> bool;
    fn typing(&self) -> &'static [Action<(), ()>];
    fn recall(&mut self, kept: &Remembered);
    fn infos(&self, keys: &Keys) -> Vec<Info>;
    fn listed(&self, keys: &Keys) -> Vec<Info>;
    fn pressed(&self, keys: &Keys, chords: &[Chord]) -> Pressed;
    fn named(&self, name: &str) -> Option<Msg>;
}

fn wrapped<S: Screen>(effects: Vec<Effect<S::Request>>) -> Effects {
    effects.into_iter().map(|effect| effect.map(Request::new::<S>)).collect()
}

impl<S: Screen> Erased for S {
    fn spec(&self) -> Spec {
        S::SPEC
    }

    fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        let Some(msg) = msg.take::<S>() else { return vec![] };
        wrapped::<S>(Screen::update(self, msg, shared))
    }

    fn input(&mut self, input: Input, shared: &Shared) -> Effects {
        wrapped::<S>(Screen::input(self, input, shared))
    }

    fn knows(&self, route: &Route) -> bool {
        route.word() == S::SPEC.word && S::Place::read(route).is_some()
    }

    fn open(&mut self, route: &Route, shared: &Shared) -> Effects {
        let Some(place) = S::Place::read(route) else { return vec![] };
        wrapped::<S>(Screen::open(self, place, shared))
    }

    fn view(&self, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) -> Hits<Msg> {
        Screen::view(self, shared, theme, frame, area).map(Msg::new::<S>)
    }

    fn offers(&self, common: Common) -> Result<(), &'static str> {
        Screen::offers(self, common)
    }

    fn fit(&mut self, fits: &[Fit]) {
        Screen::fit(self, fits);
    }

    fn route(&self) -> Option<Route> {
        self.place().map(|place| place.route())
    }

    fn crumb(&self, shared: &Shared) -> String {
        Screen::crumb(self, shared)
    }

    fn cli_equivalent(&self) -> String {
        Screen::cli_equivalent(self)
    }

    fn seen_at(&self) -> Option<Instant> {
        Screen::seen_at(self)
    }

    fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        Screen::wakes_at(self, shared)
    }

    fn selection(&self) -> Selection {
        Screen::selection(self)
    }

    fn looked_at(&self) -> String {
        Screen::looked_at(self)
    }

    fn badge(&self, shared: &Shared) -> Option<String> {
        Screen::badge(self, shared)
    }

    fn is_typing(&self) -> bool {
        Screen::is_typing(self)
    }

    fn typing(&self) -> &'static [Action<(), ()>] {
        S::TYPING
    }

    fn recall(&mut self, kept: &Remembered) {
        Screen::recall(self, kept);
    }

    fn infos(&self, keys: &Keys) -> Vec<Info> {
        keys.infos(S::ACTIONS, self)
    }

    fn listed(&self, keys: &Keys) -> Vec<Info> {
        keys.listed(S::ACTIONS)
    }

    fn pressed(&self, keys: &Keys, chords: &[Chord]) -> Pressed {
        match keys.find(S::ACTIONS, chords) {
            KeyMatch::Action(action) => match (action.enabled)(self) {
                Ok(()) => Pressed::Send(action.risk, Msg::new::<S>((action.msg)())),
                Err(why) => Pressed::Refused(why),
            },
            KeyMatch::Prefix => Pressed::Prefix,
            KeyMatch::Nothing => Pressed::Nothing,
        }
    }

    fn named(&self, name: &str) -> Option<Msg> {
        let action = S::ACTIONS.iter().find(|action| action.name == name)?;
        Some(Msg::new::<S>((action.msg)()))
    }
}

/// One screen of a set.
#[derive(Debug)]
pub struct Boxed(pub(super) Box<dyn Erased>);

/// A screen as a console has it when it starts.
#[must_use]
pub fn boxed<S: Screen>() -> Boxed {
    Boxed(Box::new(S::default()))
}
