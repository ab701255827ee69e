//! Who holds a row, and what is known of that session.

use chrono::{DateTime, Utc};

use crate::domain::age::Age;

/// A session of the server that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    pub pid: i32,
    /// As it named itself; MassTransit's are often nameless.
    pub application: String,
    /// `idle in transaction`; nothing where our role may not see it.
    pub state: Option<String>,
    /// When its transaction began.
    pub since: Option<DateTime<Utc>>,
    pub client: Option<String>,
}

/// Whether somebody works on a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lock {
    Free,
    Held(Backend),
    /// The row's `xmax` cannot tell: several may share it.
    #[default]
    Unknown,
}

impl Backend {
    /// `backend 412 (psql, idle in transaction, in its transaction for 3m)`.
    #[must_use]
    pub fn describe(&self, now: DateTime<Utc>) -> String {
        let name =
            if self.application.is_empty() { "a nameless session" } else { &self.application };
        let state = self.state.as_deref().unwrap_or("state not visible to our role");
        let age = self.since.map_or_else(String::new, |at| {
            format!(", in its transaction for {}", Age::of(at, now))
        });
        format!("backend {} ({name}, {state}{age})", self.pid)
    }
}

impl Lock {
    /// In words: who holds the row.
    #[must_use]
    pub fn describe(&self, now: DateTime<Utc>) -> String {
        match self {
            Self::Free => "nobody".to_owned(),
            Self::Held(backend) => match &backend.client {
                Some(client) => format!("{}, from {client}", backend.describe(now)),
                None => backend.describe(now),
            },
            Self::Unknown => "cannot be told: several sessions may share the row".to_owned(),
        }
    }
}
