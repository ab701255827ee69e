//! Messages: how many integration messages wait, why they do not leave, and each of them by itself.

mod actions;
mod archive;
mod chart;
mod detail;
mod diagnosis;
mod errors;
mod history_range;
mod inbox;
mod ledger;
mod list;
mod load;
mod relay;
#[cfg(test)]
mod tests;
mod update;
mod view;

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::KeyEvent;

pub use self::{
    actions::{ACTIONS, offers},
    load::load,
    update::update,
    view::view,
};
use crate::{
    db,
    domain::{
        backlog::{Sample, Samples},
        diagnosis::HalfDone,
        id::{MessageId, OutboxId},
        outbox::Owner,
    },
    ops::{
        archive::Whole,
        delivery::ConsumerOutbox,
        error_queue::Listing,
        messages::{
            Day, Message, Status,
            broker::BrokerReport,
            history::Past,
            list::{
                ArchivedMessage, Cursor as Key, Filter, Group, InboxRow, InboxView, Row, View,
                outbox_of,
            },
        },
        operation::{Kind, List, quoted},
    },
    tui::{
        effect::{Effect, Lane},
        route::Route,
        screens::{Common, Fit, Spec},
        shared::{Matter, Shared, Subject},
        ui::{
            list::Cursor,
            remote::{Remote, Ticket},
        },
    },
};

/// How the screen is listed.
pub const SPEC: Spec = Spec { number: '4', title: "Messages" };

type Effects = Vec<Effect<Request>>;

/// Rows asked for at a time.
pub const PAGE: usize = 100;

/// How often the stored history is read: its slices are minutes.
const HISTORY: std::time::Duration = std::time::Duration::from_secs(60);

/// How often the broker is asked: it is not ours, and a queue may be looked into.
const BROKER_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

const BROKER: Lane = Lane::Latest("messages.broker");
const FAR: Lane = Lane::Latest("messages.far");
const LOOK: Lane = Lane::Latest("messages.look");
const LIST: Lane = Lane::Latest("messages.list");
const DETAIL: Lane = Lane::Latest("messages.detail");
const COPY: Lane = Lane::Latest("messages.copy");

/// Which list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sub {
    Outbox(View),
    Inbox,
    /// The broker's error queues.
    Errors,
    /// Copies of what was taken out or changed.
    Kept,
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
        Self::Errors,
        Self::Kept,
    ];

    /// As links and titles call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbox(view) => view.name(),
            Self::Inbox => "inbox",
            Self::Errors => "errors",
            Self::Kept => "kept",
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

/// By what pending messages are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pivot {
    Type,
    Destination,
    Outbox,
}

/// A page as it was read.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    pub messages: Vec<Row>,
    pub inbox: Vec<InboxRow>,
    pub kept: Vec<ArchivedMessage>,
    /// A full page: there may be more.
    pub more: bool,
    /// What was not looked at.
    pub notes: Vec<String>,
}

/// Everything the screen knows.
#[derive(Debug, Default)]
pub struct State {
    sub: Sub,
    look: Remote<Arc<Status>, db::Error>,
    samples: Samples,
    /// What was stored before we looked, and when we asked for it.
    kept: Option<Past>,
    far: history_range::StoredHistory,
    kept_at: Option<Instant>,
    /// What the broker told, and when it was asked.
    told: Option<BrokerReport>,
    told_at: Option<Instant>,
    page: Remote<Listed, db::Error>,
    /// The page asked for continues the rows.
    continues: bool,
    rows: Listed,
    inbox: inbox::Inbox,
    errors: errors::Errors,
    copies: archive::Copies,
    cursor: Cursor,
    pivot: Option<Pivot>,
    filter: Option<Filter>,
    detail: Remote<Option<Arc<Message>>, db::Error>,
    detail_of: Option<i64>,
    detail_offset: usize,
    /// Tell who holds the message's owner as soon as it was read again.
    telling: bool,
    /// The whole envelope in place of the message alone.
    unfolded: bool,
    /// The finding the cursor is on.
    finding: Cursor,
    pane: Pane,
    zoomed: bool,
    explaining: bool,
}

/// What can happen here.
#[derive(Debug, Clone)]
pub enum Msg {
    Common(Common),
    Typed(KeyEvent),
    Pasted(String),
    Scrolled(usize, isize),
    Woken,
    /// Come here, to a list, perhaps to one message.
    Opened(String, Option<i64>),
    Clicked(usize),
    Finding(usize),
    Pivot,
    Json,
    /// Who holds the row that the message's owner is locked by?
    Holder,
    /// Only these inbox rows, or, asked again, others.
    Inbox(InboxView),
    /// The inbox hour by hour.
    ByHour,
    /// How far back the bars go.
    HistoryRange,
    /// Change something: by this act, or by one from the menu.
    Act(Option<Kind>),
    QueueReport(Ticket, Result<Arc<Status>, db::Error>),
    /// The broker's answer.
    BrokerReport(BrokerReport),
    Listed(Ticket, Result<Listed, db::Error>),
    Read(Ticket, Result<Option<Arc<Message>>, db::Error>),
    Copied(Ticket, Result<Option<Arc<Whole>>, db::Error>),
    Day(Ticket, Result<Arc<Day>, db::Error>),
    Stored(Ticket, Result<Vec<Sample>, String>),
    Failed(Ticket, Result<Arc<Listing>, String>),
    Exported(Result<String, String>),
}

/// What can be asked for here.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// With the stored history, or without.
    Look {
        ticket: Ticket,
        history: bool,
    },
    List {
        ticket: Ticket,
        sub: Sub,
        inbox: InboxView,
        /// The inbox from this message's row on.
        from: Option<MessageId>,
        filter: Option<Filter>,
        after: Option<Key>,
        before: Option<i64>,
    },
    Read {
        ticket: Ticket,
        sequence: i64,
    },
    /// A kept message with all of it.
    Copy {
        ticket: Ticket,
        number: i64,
    },
    Day {
        ticket: Ticket,
    },
    /// The stored looks of so long.
    Stored {
        ticket: Ticket,
        within: TimeDelta,
    },
    /// Ask the broker about the half-done consumers that were found then.
    Broker {
        halves: Vec<HalfDone>,
        now: DateTime<Utc>,
    },
    /// Look into the error queues.
    Errors {
        ticket: Ticket,
    },
    Export {
        messages: Vec<Row>,
        inbox: Vec<InboxRow>,
        kept: Vec<ArchivedMessage>,
        errors: Option<Arc<Listing>>,
    },
}

impl State {
    fn status(&self) -> Option<&Arc<Status>> {
        self.look.value.as_ref()
    }

    /// The groups that the pivot counts, if one is chosen and the list is that of pending messages.
    fn groups(&self) -> Option<&[Group]> {
        let overview = &self.status()?.overview;
        Some(match self.pivot? {
            Pivot::Type => &overview.by_type,
            Pivot::Destination => &overview.by_destination,
            Pivot::Outbox => &overview.by_outbox,
        })
    }

    /// Rows of whatever is listed.
    fn len(&self) -> usize {
        match (self.groups(), self.sub) {
            (Some(groups), _) => groups.len(),
            (None, Sub::Outbox(_)) => self.rows.messages.len(),
            (None, Sub::Inbox) => self.rows.inbox.len(),
            (None, Sub::Errors) => self.errors.len(),
            (None, Sub::Kept) => self.rows.kept.len(),
        }
    }

    /// The message under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&Row> {
        match (self.pivot, self.sub) {
            (None, Sub::Outbox(_)) => self.rows.messages.get(self.cursor.index),
            _ => None,
        }
    }

    /// The inbox row under the cursor.
    fn received(&self) -> Option<&InboxRow> {
        match self.sub {
            Sub::Inbox => self.rows.inbox.get(self.cursor.index),
            Sub::Outbox(_) | Sub::Errors | Sub::Kept => None,
        }
    }

    /// The copy under the cursor.
    fn copy(&self) -> Option<&ArchivedMessage> {
        match self.sub {
            Sub::Kept => self.rows.kept.get(self.cursor.index),
            Sub::Outbox(_) | Sub::Inbox | Sub::Errors => None,
        }
    }

    /// The outbox whose messages are counted under the cursor.
    fn grouped(&self) -> Option<OutboxId> {
        let groups = self.groups().filter(|_| self.pivot == Some(Pivot::Outbox))?;
        outbox_of(groups.get(self.cursor.index)?.key.as_deref()?)
    }

    /// What operations would be about.
    fn matter(&self) -> Matter {
        let row = self.selected();
        let read =
            self.message().filter(|read| Some(read.shown.sequence) == row.map(|row| row.sequence));
        let texts = read
            .filter(|read| i64::try_from(read.shown.content.body.len()) == Ok(read.shown.bytes));
        Matter {
            sequence: row.map(|row| row.sequence),
            delivery: row.map(|row| row.delivery),
            outbox: match row {
                Some(row) => match row.owner {
                    Owner::Bus(outbox) => Some(outbox),
                    Owner::Consumer { .. } | Owner::Nobody => None,
                },
                None => self.grouped(),
            },
            grouped: matches!(self.pivot, Some(Pivot::Type | Pivot::Destination)),
            texts: texts.map(|read| Box::new(read.shown.content.clone())),
            copy: self.copy().map(|kept| kept.number),
            returned: self.copy().and_then(|kept| kept.returned),
            discarded: self.copy().is_some_and(|kept| kept.cause == "discarded"),
            list: match self.sub {
                Sub::Outbox(_) => List::Outboxes,
                Sub::Inbox => List::Inbox,
                Sub::Errors => List::Errors,
                Sub::Kept => List::Archive,
            },
            faults: match self.sub {
                Sub::Errors => self.errors.matter(self.cursor.index),
                _ => None,
            },
            received: self.received().map(|row| {
                let half =
                    ConsumerOutbox { message_id: row.message.0, consumer_id: row.consumer.0 };
                (half, row.consumed.is_some() && row.delivered.is_none())
            }),
        }
    }

    fn message(&self) -> Option<&Arc<Message>> {
        self.detail.value.as_ref()?.as_ref()
    }

    /// Nothing is typed here.
    #[must_use]
    pub const fn is_typing(&self) -> bool {
        false
    }

    /// Takes what drawing learned about pane heights.
    pub fn fit(&mut self, fits: &[Fit]) {
        let len = self.len();
        let findings = self.status().map_or(0, |status| status.findings.len());
        for fit in fits {
            match fit.pane {
                0 => self.cursor.fit(fit.rows, len),
                1 => self.finding.index = self.finding.index.min(findings.saturating_sub(1)),
                _ => self.detail_offset = self.detail_offset.min(fit.end),
            }
        }
    }

    /// The place, for links and history.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        let at = self.selected().map(|row| row.sequence).filter(|_| self.cursor.index > 0);
        Some(Route::Messages { view: self.sub.name().to_owned(), at })
    }

    /// Commands are for orders: a message only names one.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        None
    }

    /// Where we are, in words.
    #[must_use]
    pub fn crumb(&self, _: &Shared) -> String {
        let at = self.selected().map_or_else(String::new, |row| format!(" › seq {}", row.sequence));
        format!("Messages › {}{at}", self.sub.name())
    }

    /// The headless verb that shows the same.
    #[must_use]
    pub fn cli_equivalent(&self) -> String {
        match self.sub {
            Sub::Outbox(view) => {
                let only = match &self.filter {
                    None => String::new(),
                    Some(Filter::Type(kind)) => format!(" --type {}", quoted(kind)),
                    Some(Filter::Destination(to)) => {
                        format!(" --to {}", quoted(to.as_deref().unwrap_or("none")))
                    }
                    Some(Filter::Outbox(id)) => format!(" --outbox {id}"),
                };
                format!("orderscope messages list --view {}{only}", view.name())
            }
            Sub::Inbox => self.inbox.cli_equivalent(),
            Sub::Errors => self.errors.cli_equivalent(self.cursor.index),
            Sub::Kept => match archive::whole(self) {
                Some(whole) if self.pane == Pane::Detail => {
                    format!("orderscope messages show --kept {}", whole.kept.number)
                }
                _ => "orderscope messages list --view kept".to_owned(),
            },
        }
    }

    /// When the figures were read.
    #[must_use]
    pub const fn seen_at(&self) -> Option<Instant> {
        self.look.seen_at
    }

    /// When everything is looked at again.
    #[must_use]
    pub fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.look.loading_since().is_none() && !shared.frozen;
        let last = self.look.seen_at.max(self.look.failed_at)?;
        let rate = if shared.focused { 1 } else { 4 };
        idle.then(|| last + shared.interval * rate)
    }
}
