//! What every screen may look at: the time, the connection, how to show things.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::domain::zone::Zone;
use chrono::{DateTime, Utc};

use super::route::Route;
use crate::domain::id::OrderId;

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
    pub server: String,
    /// What the database lacks and what that costs, one line each.
    pub gaps: Vec<String>,
    /// Semantics 1: a database of a running service, read-only for now.
    pub attached: bool,
}

/// The connection's state.
#[derive(Debug, Clone)]
pub enum Link {
    Connecting { doing: String },
    Up(Arc<Place>),
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
pub struct Kept {
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
    pub link: Link,
    pub kept: Kept,
    /// Between two refreshes of what is on screen.
    pub interval: Duration,
    /// No refresh until unfrozen.
    pub frozen: bool,
    /// Whether the terminal has the focus; without it, refreshes are rarer.
    pub focused: bool,
}

impl Shared {
    /// A fresh session that is still connecting.
    #[must_use]
    pub fn new(now: Now, zone: Zone) -> Self {
        Self {
            now,
            zone,
            masked: true,
            link: Link::Connecting { doing: "connecting".to_owned() },
            kept: Kept::default(),
            interval: Duration::from_secs(5),
            frozen: false,
            focused: true,
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

    /// The name used in links.
    #[must_use]
    pub fn context(&self) -> &str {
        self.place().map_or("local", |place| &place.context)
    }
}
