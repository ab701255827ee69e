//! The sampler: looks at outbox and inbox again and again and stores what it saw in schema `orderscope`, which is
//! where rates, trends and "nothing moved" come from. It writes through the record session only, so it works while
//! the console is locked and can write nothing else.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    db::{
        Db, Error, Layout, archive,
        samples::{self, Access},
    },
    ops::messages::{
        Watch,
        history::{self, SampleTaken, Stored},
    },
};

/// The longest time between two attempts where the history cannot be written.
const SELDOM: Duration = Duration::from_secs(300);
/// The shortest time before a server that does not answer is asked again.
const LEAST: Duration = Duration::from_secs(1);
/// So many old copies are removed after a look.
const COPIES: i64 = 500;

/// What one attempt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Stored,
    /// Another sampler is at work on this database.
    NotNeeded,
    /// More is pending than is counted, so there is no measurement to store.
    NotMeasured,
    /// The history is not ours to write: no schema, an older one, or no right.
    Cannot(Access),
}

/// Looks until it is stopped, beside something else that has no need of the tables: a server that does not answer is
/// asked again.
pub async fn beside(db: &Db, watch: &Watch, stop: &CancellationToken) {
    let mut wait = watch.sampling.every.max(LEAST);
    loop {
        let asked = tokio::select! {
            asked = db.layout() => asked,
            () = stop.cancelled() => return,
        };
        match asked {
            Ok(layout) => return Sampler::new(db, &layout, watch).run(stop).await,
            Err(error) => tracing::warn!(%error, "no look is stored before the tables are known"),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        wait = (wait * 2).min(SELDOM);
    }
}

/// A sampler of one database.
#[derive(Debug)]
pub struct Sampler<'a> {
    db: &'a Db,
    layout: &'a Layout,
    watch: &'a Watch,
    /// Where reading deliveries goes on.
    from: Option<DateTime<Utc>>,
}

impl<'a> Sampler<'a> {
    /// A sampler that looks, and keeps copies, as `watch` says.
    pub const fn new(db: &'a Db, layout: &'a Layout, watch: &'a Watch) -> Self {
        Self { db, layout, watch, from: None }
    }

    /// Looks until it is stopped. Errors are logged and tried again, less and less often.
    pub async fn run(mut self, stop: &CancellationToken) {
        let every = self.watch.sampling.every;
        let mut wait = every;
        loop {
            wait = match self.pass(stop).await {
                Ok(Done::Stored | Done::NotNeeded | Done::NotMeasured) => every,
                Ok(Done::Cannot(access)) => {
                    tracing::debug!(?access, "no history is stored here");
                    SELDOM
                }
                Err(Error::Cancelled) => return,
                Err(error) => {
                    tracing::warn!(%error, "a look was not stored");
                    (wait * 2).min(SELDOM)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks once and stores what it saw, unless another sampler just did.
    pub async fn pass(&mut self, stop: &CancellationToken) -> Result<Done, Error> {
        let (layout, watch, from) = (self.layout, self.watch, self.from);
        // Our own last look is a little less than `every` ago.
        let fresh = TimeDelta::from_std(watch.sampling.every / 2).unwrap_or_default();
        let looked = self
            .db
            .read("sampler", stop, async |conn| {
                let access = samples::access(conn).await?;
                if access != Access::Write {
                    return Ok(Err(Done::Cannot(access)));
                }
                let last = samples::newest(conn).await?.map(|slice| slice.last.at);
                let now = crate::db::clock::now(conn).await?;
                if last.is_some_and(|last| now - last < fresh) {
                    return Ok(Err(Done::NotNeeded));
                }
                Ok(Ok(history::look(conn, layout, watch, from).await?))
            })
            .await?;
        match looked {
            Ok(looked) => self.store(looked).await,
            Err(done) => Ok(done),
        }
    }

    async fn store(&mut self, looked: SampleTaken) -> Result<Done, Error> {
        let stored =
            self.db.record("sampler", async |tx| history::store(tx, &looked).await).await?;
        Ok(match stored {
            Stored::Yes => {
                self.from = looked.next;
                // The look is stored, whatever becomes of these.
                if let Err(error) = self.forget_copies().await {
                    tracing::warn!(%error, "copies past their time were not removed");
                }
                Done::Stored
            }
            Stored::TooMany => {
                tracing::debug!("more is pending than is counted: no look is stored");
                self.from = looked.next;
                Done::NotMeasured
            }
            Stored::Busy | Stored::Known => {
                // The other one reads deliveries too; where it stopped is in the database.
                self.from = None;
                Done::NotNeeded
            }
        })
    }
    /// Removes copies that are past their time, where one is set. Seldom many: the oldest first, the rest later.
    async fn forget_copies(&self) -> Result<(), Error> {
        let Some(age) = self.watch.sampling.copies else { return Ok(()) };
        let gone = self
            .db
            .record("sampler", async |tx| archive::forget_operators(tx, age, COPIES).await)
            .await?;
        if gone > 0 {
            tracing::info!(gone, days = age.num_days(), "copies past their time were removed");
        }
        Ok(())
    }
}
