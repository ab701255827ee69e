//! What goes on beside the screens as long as the console is open.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Opened, Services};
use crate::{
    config, session,
    tui::shared::{News, Place},
    workers::{anchors, sampler::Sampler},
};

/// How often a standby is asked how far it is.
const REPLAY: Duration = Duration::from_secs(5);

/// Takes what was found.
pub type Tell<'a> = &'a (dyn Fn(News) + Send + Sync);

impl Services {
    /// Keeps the private server running, asks a standby how far it is, compares and anchors the audit log, and stores
    /// what outbox and inbox look like, until it is stopped. Also while locked, for nothing is written but schema
    /// `orderscope`; not even that in a context that is read-only.
    pub(in crate::tui) async fn keep_watch(&self, stop: &CancellationToken, tell: Tell<'_>) {
        let Some(opened) = self.opened() else { return };
        let watched = async {
            tokio::join!(
                keep_running(&opened, tell),
                self.follow_standby(&opened, stop, tell),
                self.keep_records(&opened, stop, tell),
            )
        };
        tokio::select! {
            _ = watched => {}
            () = stop.cancelled() => {}
        }
    }

    async fn keep_records(&self, opened: &Opened, stop: &CancellationToken, tell: Tell<'_>) {
        let Opened { db, layout, .. } = opened;
        let dir = config::state_dir();
        let audit = |broken| tell(News::Audit(broken));
        if self.policy.read_only {
            return anchors::run(db, None, &dir, stop, &audit).await;
        }
        let sampler = Sampler::new(db, layout, &self.watch);
        tokio::join!(sampler.run(stop), anchors::run(db, Some(&self.clock), &dir, stop, &audit));
    }

    /// Tells where the console is connected to whenever a standby got further or was made the primary.
    async fn follow_standby(&self, opened: &Opened, stop: &CancellationToken, tell: Tell<'_>) {
        let Opened { db, layout, .. } = opened;
        let mut told: Option<Place> = None;
        loop {
            tokio::time::sleep(REPLAY).await;
            let was = told.as_ref().is_some_and(|place| place.standby.is_some());
            if !was && !db.is_standby() {
                continue;
            }
            // Where it does not answer, the screen says so.
            let Ok(replay) = session::replay(db, stop).await else { continue };
            let place = self.place(layout, db, replay);
            if told.as_ref() != Some(&place) {
                tell(News::Place(Arc::new(place.clone())));
                told = Some(place);
            }
        }
    }
}

async fn keep_running(opened: &Opened, tell: Tell<'_>) {
    // It is closed only after this was stopped.
    if let Some(session) = &*opened.session.lock().await {
        match session.keep_running(&|told| tell(News::Private(told))).await {}
    }
}
