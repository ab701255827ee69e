//! What an update may ask for. Plain data: tests compare it, the runtime carries it out.

use super::{
    route::Route,
    shared::{Keep, Matter},
};

use crate::ops::operation::Kind;

/// How requests of one kind relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A newer request cancels the older, in PostgreSQL too.
    Latest(&'static str),
    /// Each runs to its end, whatever the person looks at meanwhile.
    Every,
}

/// One thing to be done outside the state. `R` is what the screen can ask to be loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect<R> {
    /// Run in the background; the answer comes back as a message.
    Run(Lane, R),
    /// Stop what runs in that lane.
    Stop(&'static str),
    /// Put text on the clipboard; `what` names it for the note that confirms it.
    Copy { text: String, what: String },
    /// A line in the status bar for a while.
    Tell(String),
    /// The same, for what went wrong.
    Warn(String),
    /// Go to another place in the console.
    Open(Route),
    /// Back to the place before this one.
    Back,
    /// Remember something between sessions.
    Keep(Keep),
    /// Ask for the reason to unlock writes.
    Unlock,
    /// Change something of messages: by this operation, or by one from the menu.
    Change(Box<Matter>, Option<Kind>),
}

impl<R> Effect<R> {
    /// The same effect with its request wrapped.
    pub fn map<S>(self, wrap: impl FnOnce(R) -> S) -> Effect<S> {
        match self {
            Self::Run(lane, request) => Effect::Run(lane, wrap(request)),
            Self::Stop(lane) => Effect::Stop(lane),
            Self::Copy { text, what } => Effect::Copy { text, what },
            Self::Tell(text) => Effect::Tell(text),
            Self::Warn(text) => Effect::Warn(text),
            Self::Open(route) => Effect::Open(route),
            Self::Back => Effect::Back,
            Self::Keep(keep) => Effect::Keep(keep),
            Self::Unlock => Effect::Unlock,
            Self::Change(matter, kind) => Effect::Change(matter, kind),
        }
    }
}
