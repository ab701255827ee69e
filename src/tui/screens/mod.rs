//! The screens. Adding one touches its folder and two lines here.

// Outside the macro: the formatter finds no modules inside one.
pub mod messages;
pub mod orders;
pub mod timeline;

use crossterm::event::KeyEvent;
use ratatui::{Frame, layout::Rect};

use super::{
    effect::Effect,
    route::Route,
    runtime::Cx,
    shared::{Shared, Subject},
    ui::{
        action::{Chord, Info, KeyMatch, Keys, Risk},
        hits::Hits,
        list::Step,
        theme::Theme,
    },
};

/// What every screen understands in its own way; the keys for these are global.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Common {
    Step(Step),
    Left,
    Right,
    Enter,
    /// Back one step inside the screen.
    Escape,
    NextPane,
    PreviousPane,
    NextView,
    PreviousView,
    Filter,
    NextMatch,
    PreviousMatch,
    Mark,
    MarkAll,
    InvertMarks,
    Sort,
    Faults,
    Copy,
    CopyLink,
    Export,
    Refresh,
    Explain,
    Bookmark,
    Zoom,
}

/// How a screen is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The key that opens it.
    pub number: char,
    pub title: &'static str,
}

/// Where something happened on a screen, as drawing left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    pub pane: usize,
    pub rows: usize,
    /// How far its text can be scrolled; nothing for lists.
    pub end: usize,
}

macro_rules! screens {
    ($($module:ident => $variant:ident),+ $(,)?) => {
        /// Names a screen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ScreenId { $($variant),+ }

        /// A message for one of the screens.
        #[derive(Debug, Clone)]
        pub enum Msg { $($variant($module::Msg)),+ }

        /// Something one of the screens wants loaded.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Request { $($variant($module::Request)),+ }

        /// The state of every screen.
        #[derive(Debug, Default)]
        pub struct Screens { $(pub $module: $module::State),+ }

        impl ScreenId {
            /// All screens, in the order of their keys.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Number and title.
            #[must_use]
            pub const fn spec(self) -> Spec {
                match self { $(Self::$variant => $module::SPEC),+ }
            }

            /// The screen's rows of the action table, for keys and docs.
            #[must_use]
            pub fn bindings(self, keys: &Keys) -> Vec<(&'static str, Vec<String>)> {
                match self {
                    $(Self::$variant => $module::ACTIONS.iter().map(|a| (a.name, keys.of(a))).collect()),+
                }
            }
        }

        impl Screens {
            /// Lets a screen answer its message.
            pub fn update(&mut self, msg: Msg, shared: &Shared) -> Vec<Effect<Request>> {
                match msg {
                    $(Msg::$variant(msg) => $module::update(&mut self.$module, msg, shared)
                        .into_iter()
                        .map(|effect| effect.map(Request::$variant))
                        .collect()),+
                }
            }

            /// Draws a screen.
            pub fn view(
                &self, id: ScreenId, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect,
            ) -> Hits<Msg> {
                match id {
                    $(ScreenId::$variant => $module::view(&self.$module, shared, theme, frame, area)
                        .map(Msg::$variant)),+
                }
            }

            /// The message that a global key means here.
            #[must_use]
            pub fn common(id: ScreenId, common: Common) -> Msg {
                match id { $(ScreenId::$variant => Msg::$variant($module::Msg::Common(common))),+ }
            }

            /// Whether that global key means anything here now, or why not.
            pub fn offers(&self, id: ScreenId, common: Common) -> Result<(), &'static str> {
                match id { $(ScreenId::$variant => $module::offers(&self.$module, common)),+ }
            }

            /// Whether keys are being typed as text.
            #[must_use]
            pub fn is_typing(&self, id: ScreenId) -> bool {
                match id { $(ScreenId::$variant => self.$module.is_typing()),+ }
            }

            /// A key press or a paste for the text being typed.
            #[must_use]
            pub fn typed(id: ScreenId, key: KeyEvent) -> Msg {
                match id { $(ScreenId::$variant => Msg::$variant($module::Msg::Typed(key))),+ }
            }

            /// Text pasted into the screen.
            #[must_use]
            pub fn pasted(id: ScreenId, text: String) -> Msg {
                match id { $(ScreenId::$variant => Msg::$variant($module::Msg::Pasted(text))),+ }
            }

            /// The wheel turned over a pane.
            #[must_use]
            pub fn scrolled(id: ScreenId, pane: usize, by: isize) -> Msg {
                match id { $(ScreenId::$variant => Msg::$variant($module::Msg::Scrolled(pane, by))),+ }
            }

            /// Tells a screen how many rows its panes show.
            pub fn fit(&mut self, id: ScreenId, fits: &[Fit]) {
                match id { $(ScreenId::$variant => self.$module.fit(fits)),+ }
            }

            /// The place on screen, for links and history.
            #[must_use]
            pub fn route(&self, id: ScreenId) -> Option<Route> {
                match id { $(ScreenId::$variant => self.$module.route()),+ }
            }

            /// The order under the cursor, as commands need to know it.
            #[must_use]
            pub fn subject(&self, id: ScreenId) -> Option<Subject> {
                match id { $(ScreenId::$variant => self.$module.subject()),+ }
            }

            /// The last line but one: where we are.
            #[must_use]
            pub fn crumb(&self, id: ScreenId, shared: &Shared) -> String {
                match id { $(ScreenId::$variant => self.$module.crumb(shared)),+ }
            }

            /// The headless verb that shows the same.
            #[must_use]
            pub fn cli_equivalent(&self, id: ScreenId) -> String {
                match id { $(ScreenId::$variant => self.$module.cli_equivalent()),+ }
            }

            /// When the data on screen was read.
            #[must_use]
            pub fn seen_at(&self, id: ScreenId) -> Option<std::time::Instant> {
                match id { $(ScreenId::$variant => self.$module.seen_at()),+ }
            }

            /// When something on the screen moves by itself next.
            #[must_use]
            pub fn wakes_at(&self, id: ScreenId, shared: &Shared) -> Option<std::time::Instant> {
                match id { $(ScreenId::$variant => self.$module.wakes_at(shared)),+ }
            }

            /// That moment has come.
            #[must_use]
            pub fn woken(id: ScreenId) -> Msg {
                match id { $(ScreenId::$variant => Msg::$variant($module::Msg::Woken)),+ }
            }

            /// The screen's actions as help and palette show them.
            #[must_use]
            pub fn infos(&self, id: ScreenId, keys: &Keys) -> Vec<Info> {
                match id { $(ScreenId::$variant => keys.infos($module::ACTIONS, &self.$module)),+ }
            }

            /// What a key sequence means on the screen: a message, a reason why not, or more keys.
            #[must_use]
            pub fn pressed(&self, id: ScreenId, keys: &Keys, chords: &[Chord]) -> Pressed {
                match id {
                    $(ScreenId::$variant => match keys.find($module::ACTIONS, chords) {
                        KeyMatch::Action(action) => match (action.enabled)(&self.$module) {
                            Ok(()) => {
                                Pressed::Send(action.risk, Msg::$variant((action.msg)()))
                            }
                            Err(why) => Pressed::Refused(why),
                        },
                        KeyMatch::Prefix => Pressed::Prefix,
                        KeyMatch::Nothing => Pressed::Nothing,
                    }),+
                }
            }

            /// The message of an action by name, for the palette.
            #[must_use]
            pub fn named(id: ScreenId, name: &str) -> Option<Msg> {
                match id {
                    $(ScreenId::$variant => $module::ACTIONS
                        .iter()
                        .find(|action| action.name == name)
                        .map(|action| Msg::$variant((action.msg)()))),+
                }
            }
        }

        /// Carries out a request; never fails: errors are part of the answer.
        pub async fn load(request: Request, cx: Cx) -> Msg {
            match request {
                $(Request::$variant(request) => Msg::$variant($module::load(request, cx).await)),+
            }
        }
    };
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

screens! {
    orders => Orders,
    timeline => Timeline,
    messages => Messages,
}
