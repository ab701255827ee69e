//! Sub-views of Messages: a list, and what stands beside it. Each is a module of its own; the frame around them
//! (figures, diagnosis, bars) knows them by what is declared here.

use ratatui::text::{Line, Span};

use super::{Effects, MessageSelection, Past, Request, Shared, Status};
use crate::{
    ops::messages::list::View,
    tui::{screens::listing::Listing, ui::theme::Theme},
};

/// What the words of a list mean.
pub(super) type Legend = &'static [(&'static str, &'static str)];

/// Which sub-view is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sub {
    Outbox(View),
    Inbox,
    /// The broker's error queues.
    ErrorQueues,
    /// Copies of what was taken out or changed.
    Archive,
}

impl Default for Sub {
    fn default() -> Self {
        Self::Outbox(View::Pending)
    }
}

impl Sub {
    /// All of them, in the order of `>`.
    pub const ALL: [Self; 8] = [
        Self::Outbox(View::Pending),
        Self::Outbox(View::Delivered),
        Self::Outbox(View::Orphan),
        Self::Outbox(View::Expired),
        Self::Outbox(View::Undeliverable),
        Self::Inbox,
        Self::ErrorQueues,
        Self::Archive,
    ];

    /// As links and titles call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbox(view) => view.name(),
            Self::Inbox => "inbox",
            Self::ErrorQueues => "errors",
            Self::Archive => "kept",
        }
    }
}

/// Which part of the screen the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    List,
    Diagnosis,
    Detail,
}

/// Where the keys go, and how far the text beside the list is scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Focus {
    pub pane: Pane,
    pub offset: usize,
}

impl Focus {
    /// To a pane, its text from the top.
    pub const fn to(&mut self, pane: Pane) {
        self.pane = pane;
        self.offset = 0;
    }
}

/// What a sub-view is drawn from beside its own state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub shared: &'a Shared,
    pub theme: &'a Theme,
    pub status: Option<&'a Status>,
    /// Neither figures nor an error came yet.
    pub reading: bool,
    pub kept: Option<&'a Past>,
    /// The whole envelope in place of the message alone.
    pub unfolded: bool,
}

/// What stands beside the list.
#[derive(Debug, Default)]
pub(super) struct Detail {
    pub title: String,
    pub note: &'static str,
    pub lines: Vec<Line<'static>>,
}

/// A sub-view: what is different about it. Common keys are answered as for every [`Listing`].
pub(super) trait SubView: Listing<Request = Request> + Drawn {
    /// Empties it and asks for its first page.
    fn show(&mut self, shared: &Shared) -> Effects;

    /// Another one is shown: nobody waits for it any more.
    fn leave(&mut self) -> Effects;

    /// Reads again; by itself, or because somebody asked for it.
    fn refresh(&mut self, by_hand: bool, shared: &Shared) -> Effects;

    /// Whether Enter leads anywhere, or why not.
    fn can_enter(&self, _: Pane) -> Result<(), &'static str> {
        self.has_rows()
    }

    fn enter(&mut self, focus: &mut Focus, shared: &Shared) -> Effects;

    /// Back one step inside; nothing where there is none.
    fn back(&mut self, _: &Shared) -> Option<Effects> {
        None
    }

    /// What the detail is about; its text begins at the top when that changes.
    fn beside(&self) -> Option<String>;

    /// The message under the cursor, by its sequence number.
    fn sequence(&self) -> Option<i64> {
        None
    }

    /// Whether a body is read that can be unfolded.
    fn has_body(&self) -> bool;

    /// What operations would be about.
    fn matter(&self) -> MessageSelection;

    /// The headless verb that shows the same.
    fn cli_equivalent(&self, pane: Pane) -> String;
}

/// How a sub-view is drawn.
pub(super) trait Drawn {
    fn title(&self) -> String;

    /// The names of the columns.
    fn header(&self, roomy: bool) -> &'static str;

    /// Columns wide enough to show more.
    fn roomy(&self) -> u16 {
        70
    }

    /// A row, behind the sign of cursor and mark.
    fn line(
        &self,
        index: usize,
        sign: Span<'static>,
        roomy: bool,
        cx: Context<'_>,
    ) -> Option<Line<'static>>;

    fn is_marked(&self, _: usize) -> bool {
        false
    }

    /// The line in place of an empty list.
    fn empty(&self, cx: Context<'_>) -> Line<'static>;

    /// Errors first, then what was not looked at, then what the words mean.
    fn footnotes(&self, cx: Context<'_>, width: u16) -> Vec<Line<'static>>;

    /// What stands below the footnotes of a tall list.
    fn summary(&self, _: Context<'_>, _: u16) -> Vec<Line<'static>> {
        vec![]
    }

    fn detail(&self, cx: Context<'_>, width: usize) -> Detail;

    /// What `i` tells.
    fn legend(&self) -> Legend;
}
