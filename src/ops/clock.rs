//! The server's time: evidence is dated with it, whatever the clock of this machine says.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::Clock;
use crate::{
    db::{self, Db},
    domain::age,
};

/// A difference that nobody has to care about.
const CLOSE: TimeDelta = TimeDelta::minutes(1);

/// A clock of ours and how far it is ahead of the server's, measured when a database is opened and unlocked.
#[derive(Clone)]
pub struct ServerClock {
    ours: Clock,
    /// In microseconds.
    ahead: Arc<AtomicI64>,
}

impl ServerClock {
    /// Not measured yet: it goes by ours.
    #[must_use]
    pub fn new(ours: Clock) -> Self {
        Self { ours, ahead: Arc::default() }
    }

    /// Compares it with the server's.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn measure(&self, db: &Db) -> Result<(), db::Error> {
        let stop = CancellationToken::new();
        // In the session's own time: opening it may take long.
        let (before, server, after) = db
            .read("clock", &stop, async |conn| {
                let before = (self.ours)();
                Ok((before, db::clock::now(conn).await?, (self.ours)()))
            })
            .await?;
        let ahead = before + (after - before) / 2 - server;
        // So little is the way to the server as likely as a wrong clock.
        let ahead = if ahead.abs() <= (after - before) / 2 { TimeDelta::zero() } else { ahead };
        self.ahead.store(ahead.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }

    /// The server's time, as far as ours tells it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let Self { ours, ahead } = self.clone();
        Arc::new(move || {
            let ahead = TimeDelta::microseconds(ahead.load(Ordering::Relaxed));
            ours().checked_sub_signed(ahead).unwrap_or(chrono::DateTime::<Utc>::MIN_UTC)
        })
    }

    /// That ours is wrong, where that matters.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let ahead = TimeDelta::microseconds(self.ahead.load(Ordering::Relaxed));
        let side = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
        (ahead.abs() > CLOSE).then(|| {
            let far = age::length(ahead.abs());
            format!(
                "the clock of this machine is {far} {side} the server's: what is recorded has the server's time; set \
                 this one right"
            )
        })
    }
}

impl std::fmt::Debug for ServerClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerClock").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}
