//! What every screen may look at: the time, the connection, how to show things.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{route::Route, ui::action::Keys};
use crate::{
    domain::{id::OrderId, zone::Zone},
    ops::policy::Policy,
    workers::relay::Stats,
};

/// One moment on both clocks: the monotonic one for ages, the wall clock for what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub instant: Instant,
    pub utc: DateTime<Utc>,
}

/// Where the console is connected to.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The configured name (`local`, `prod`), used in links.
    pub context: String,
    /// Named and framed so that nobody mistakes it.
    pub production: bool,
    pub database: String,
    pub host: String,
    pub role: String,
    /// How far a hot standby is behind; none on a primary.
    pub standby: Option<String>,
    /// What the database lacks and what that costs, one line each.
    pub gaps: Vec<String>,
    /// Semantics 1: a database of a running service.
    pub attached: bool,
    /// Who acts: `mai@desk-4`.
    pub operator: String,
    /// Why nothing can be written here at all, and what would change that.
    pub barred: Option<&'static str>,
    /// Why there is no broker to work with.
    pub no_broker: Option<String>,
}

/// Something switched on for a while, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    pub until: Instant,
    pub reason: String,
}

impl Timed {
    /// How long it still lasts; nothing when its time is over.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }

    /// The same as a clock shows it, rounded up: `9:41`.
    #[must_use]
    pub fn clock(&self, now: Instant) -> String {
        let left = self.left(now);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// The connection's state.
#[derive(Debug, Clone)]
pub enum Link {
    Connecting { doing: String },
    Up(Arc<Place>),
}

/// What was found beside the screens while the console is open.
#[derive(Debug, Clone)]
pub enum News {
    /// A standby got further, or is the primary now.
    Place(Arc<Place>),
    /// The private server had ended: it was started again, or why not.
    Private(String),
    /// How the audit log differs from what this machine saw; none where it does not.
    Audit(Option<String>),
}

/// Something remembered between sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    Bookmark(OrderId),
    View(u8, Route),
    Search(String),
}

/// What is remembered between sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    pub bookmarks: BTreeSet<OrderId>,
    /// Saved views by function key, 2 to 9.
    pub views: BTreeMap<u8, Route>,
    /// Past searches, newest last.
    pub searches: Vec<String>,
}

/// Read-only context of every update and view.
#[derive(Debug, Clone)]
pub struct Shared {
    pub now: Now,
    pub zone: Zone,
    /// Personal data is covered.
    pub masked: bool,
    /// Until when it is not, and why.
    pub revealed: Option<Timed>,
    /// Until when something may be written, and why.
    pub unlocked: Option<Timed>,
    /// What may be done here at all, for how long an unlocking lasts (and a revealing).
    pub policy: Policy,
    pub link: Link,
    /// How long the server is left alone after attempts that failed.
    pub pause: Option<Duration>,
    /// How the audit log differs from what this machine saw of it.
    pub audit_broken: Option<String>,
    pub kept: Remembered,
    /// Between two refreshes of what is on screen.
    pub interval: Duration,
    /// No refresh until unfrozen.
    pub frozen: bool,
    /// Whether the terminal has the focus; without it, refreshes are rarer.
    pub focused: bool,
    /// The keys in force.
    pub keys: Keys,
    /// What the relay beside this console tells of itself, where there is one.
    pub relay: Option<Arc<Stats>>,
}

impl Shared {
    /// A fresh session that is still connecting.
    #[must_use]
    pub fn new(now: Now, zone: Zone) -> Self {
        Self {
            now,
            zone,
            masked: true,
            revealed: None,
            unlocked: None,
            policy: Policy::default(),
            link: Link::Connecting { doing: "connecting".to_owned() },
            pause: None,
            audit_broken: None,
            kept: Remembered::default(),
            interval: Duration::from_secs(5),
            frozen: false,
            focused: true,
            keys: Keys::default(),
            relay: None,
        }
    }

    /// Where we are connected, once we are.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match &self.link {
            Link::Up(place) => Some(place),
            Link::Connecting { .. } => None,
        }
    }

    /// Why nothing can be written, whoever unlocks it.
    #[must_use]
    pub fn barred(&self) -> Option<&'static str> {
        if self.policy.read_only {
            return Some(
                "read-only: this console cannot be unlocked; start it without --read-only",
            );
        }
        match self.place() {
            Some(place) => place.barred,
            None => Some("not connected yet"),
        }
    }

    /// Whether something may be written now, or why not.
    pub fn writable(&self) -> Result<(), &'static str> {
        match (self.barred(), &self.unlocked) {
            (Some(why), _) => Err(why),
            (None, Some(unlocked)) if unlocked.until > self.now.instant => Ok(()),
            (None, _) => Err("writes are locked: w unlocks"),
        }
    }

    /// The name used in links.
    #[must_use]
    pub fn context(&self) -> &str {
        self.place().map_or("local", |place| &place.context)
    }
}
