//! Messages: how many integration messages wait, why they do not leave, and each of them by itself.

mod actions;
mod archive;
mod body;
mod chart;
mod diagnosis;
mod error_queues;
mod history_range;
mod inbox;
mod ledger;
mod load;
mod outbox;
mod paged;
mod place;
mod relay;
mod sub;
#[cfg(test)]
mod tests;
mod update;
mod view;

use std::{sync::Arc, time::Instant};

use chrono::TimeDelta;
use ratatui::{Frame, layout::Rect};

use self::sub::{Context, Focus, SubView};
pub use self::{
    place::Place,
    sub::{Pane, Sub},
};
use crate::{
    db,
    domain::backlog::{Sample, Samples},
    ops::{
        messages::{
            Status,
            broker::{BrokerReport, Question},
            history::Past,
            list::{ConsumerOutbox, InboxView},
        },
        operation::Kind,
    },
    tui::{
        effect::{Effect, Lane},
        screens::{Common, Fit, Input, Screen, ScreenId, Spec},
        selection::{MessageSelection, Selection},
        services::Cx,
        shared::Shared,
        ui::{
            action::Action,
            hits::Hits,
            list::{Cursor, Step},
            remote::{Remote, Ticket},
            theme::Theme,
        },
    },
};

type Effects = Vec<Effect<Request>>;

/// Rows asked for at a time.
pub const PAGE: usize = 100;

/// How often the stored history is read: its slices are minutes.
const HISTORY: std::time::Duration = std::time::Duration::from_secs(60);

/// How often the broker is asked: it is not ours, and a queue may be looked into.
const BROKER_EVERY: std::time::Duration = std::time::Duration::from_secs(20);

/// A count on the tab is no older than this.
const RECENT: std::time::Duration = std::time::Duration::from_secs(60);

const BROKER: Lane = Lane::Latest("messages.broker");
const FAR: Lane = Lane::Latest("messages.far");
const LOOK: Lane = Lane::Latest("messages.look");
/// One list at a time: that of another sub-view stops it.
const LIST: Lane = Lane::Latest("messages.list");

/// Everything the screen knows: what all sub-views share, and each of them.
#[derive(Debug, Default)]
pub struct State {
    sub: Sub,
    outbox: outbox::State,
    inbox: inbox::State,
    error_queues: error_queues::State,
    archive: archive::State,
    look: Remote<Arc<Status>, db::Error>,
    samples: Samples,
    /// What was stored before we looked, and when we asked for it.
    kept: Option<Past>,
    far: history_range::StoredHistory,
    kept_at: Option<Instant>,
    /// What the broker told, and when it was asked.
    told: Option<BrokerReport>,
    told_at: Option<Instant>,
    /// The whole envelope in place of the message alone.
    unfolded: bool,
    /// The finding the cursor is on.
    finding: Cursor,
    focus: Focus,
    zoomed: bool,
    explaining: bool,
}

/// What can happen here.
#[derive(Debug, Clone)]
pub enum Msg {
    Clicked(usize),
    Finding(usize),
    Pivot,
    Json,
    /// Who holds the row that the message's owner is locked by?
    Holder,
    /// Only these inbox rows, or, asked again, others.
    Only(InboxView),
    /// The inbox hour by hour.
    ByHour,
    /// How far back the bars go.
    HistoryRange,
    /// Change something: by this operation, or by one from the menu.
    Act(Option<Kind>),
    QueueReport(Ticket, Result<Arc<Status>, db::Error>),
    /// The broker's answer.
    BrokerReport(BrokerReport),
    Stored(Ticket, Result<Vec<Sample>, String>),
    Outbox(outbox::Msg),
    Inbox(inbox::Msg),
    ErrorQueues(error_queues::Msg),
    Archive(archive::Msg),
    Exported(Result<String, String>),
}

/// What can be asked for here.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// With the stored history, or without; to be compared with the look before.
    Look {
        ticket: Ticket,
        history: bool,
        before: Option<Sample>,
    },
    /// The stored looks of so long.
    Stored {
        ticket: Ticket,
        within: TimeDelta,
    },
    /// Ask the broker about what was found then.
    Broker(Question),
    Outbox(outbox::Request),
    Inbox(inbox::Request),
    ErrorQueues(error_queues::Request),
    Archive(archive::Request),
}

impl State {
    fn status(&self) -> Option<&Arc<Status>> {
        self.look.value.as_ref()
    }

    /// The sub-view that is shown.
    fn shown(&self) -> &dyn SubView {
        match self.sub {
            Sub::Outbox(_) => &self.outbox,
            Sub::Inbox => &self.inbox,
            Sub::ErrorQueues => &self.error_queues,
            Sub::Archive => &self.archive,
        }
    }

    /// The same, with where the keys go.
    fn shown_mut(&mut self) -> (&mut dyn SubView, &mut Focus) {
        let view: &mut dyn SubView = match self.sub {
            Sub::Outbox(_) => &mut self.outbox,
            Sub::Inbox => &mut self.inbox,
            Sub::ErrorQueues => &mut self.error_queues,
            Sub::Archive => &mut self.archive,
        };
        (view, &mut self.focus)
    }

    /// What sub-views are drawn from.
    fn context<'a>(&'a self, shared: &'a Shared, theme: &'a Theme) -> Context<'a> {
        Context {
            shared,
            theme,
            status: self.status().map(|status| &**status),
            reading: self.look.value.is_none() && self.look.error.is_none(),
            kept: self.kept.as_ref(),
            unfolded: self.unfolded,
        }
    }
}

impl Screen for State {
    type Msg = Msg;
    type Request = Request;
    type Place = Place;

    const SPEC: Spec = Spec {
        id: ScreenId("messages"),
        title: "Messages",
        action: "go.messages",
        keys: &["4"],
        help: "Integration messages: how many wait, and why",
        cli_equivalent: "orderscope messages status",
        word: place::WORD,
        link: "messages/SEQ?LIST",
    };
    const ACTIONS: &'static [Action<Self, Msg>] = actions::ACTIONS;

    fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        update::update(self, msg, shared)
    }

    fn input(&mut self, input: Input, shared: &Shared) -> Effects {
        update::input(self, input, shared)
    }

    fn open(&mut self, place: Place, shared: &Shared) -> Effects {
        update::open(self, &place, shared)
    }

    fn view(&self, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) -> Hits<Msg> {
        view::view(self, shared, theme, frame, area)
    }

    fn load(request: Request, cx: Cx) -> impl Future<Output = Msg> + Send {
        load::load(request, cx)
    }

    fn offers(&self, common: Common) -> Result<(), &'static str> {
        actions::offers(self, common)
    }

    fn fit(&mut self, fits: &[Fit]) {
        let findings = self.status().map_or(0, |status| status.findings.len());
        for fit in fits {
            match fit.pane {
                0 => {
                    let list = self.shown_mut().0;
                    let len = list.len();
                    list.cursor_mut().fit(fit.rows, len);
                }
                1 => self.finding.index = self.finding.index.min(findings.saturating_sub(1)),
                _ => self.focus.offset = self.focus.offset.min(fit.end),
            }
        }
    }

    fn place(&self) -> Option<Place> {
        let shown = self.shown();
        let at = shown.sequence().filter(|_| shown.cursor().index > 0);
        Some(Place { view: self.sub.name().to_owned(), at })
    }

    fn selection(&self) -> Selection {
        Selection::Messages(Box::new(self.shown().matter()))
    }

    /// The message, if it is one; never what it is about.
    fn looked_at(&self) -> String {
        match self.place().and_then(|place| place.at) {
            Some(sequence) => format!("message {sequence}"),
            None => Self::SPEC.id.to_string(),
        }
    }

    fn crumb(&self, _: &Shared) -> String {
        let at = self.shown().sequence();
        let at = at.map_or_else(String::new, |sequence| format!(" › seq {sequence}"));
        format!("Messages › {}{at}", self.sub.name())
    }

    fn cli_equivalent(&self) -> String {
        self.shown().cli_equivalent(self.focus.pane)
    }

    /// How many messages wait, as long as that was counted lately.
    fn badge(&self, shared: &Shared) -> Option<String> {
        let seen = self.look.seen_at?;
        let is_recent = shared.now.instant.saturating_duration_since(seen) < RECENT;
        let pending = self.status()?.facts.pending();
        (is_recent && pending.number() > 0).then(|| pending.to_string())
    }

    /// When the figures were read.
    fn seen_at(&self) -> Option<Instant> {
        self.look.seen_at
    }

    /// When everything is looked at again.
    fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.look.loading_since().is_none() && !shared.frozen;
        let last = self.look.seen_at.max(self.look.failed_at)?;
        let rate = if shared.focused { 1 } else { 4 };
        idle.then(|| last + shared.interval * rate)
    }
}
