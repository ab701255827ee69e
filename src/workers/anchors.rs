//! Anchors of the audit log while a console is open: one when it opens and one an hour, if something moved.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::Clock;
use crate::{
    db::{Db, Error, audit},
    ops::audit::{EVERY, Readiness, Witness, anchor_if_due},
};

/// Anchors until it is stopped. What fails is logged and tried again an hour later.
pub async fn run(db: &Db, clock: &Clock, dir: &Path, stop: &CancellationToken) {
    loop {
        match pass(db, clock, dir, stop).await {
            Ok(()) => {}
            Err(Error::Cancelled) => return,
            Err(error) => tracing::warn!(%error, "no anchor was written"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Anchors once, where this login may and one is due, and keeps the head in a directory of this machine.
pub async fn pass(
    db: &Db,
    clock: &Clock,
    dir: &Path,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let readiness = db.read("anchor", stop, async |conn| audit::readiness(conn).await).await?;
    if readiness == Readiness::Ready {
        anchor_if_due(db, clock(), EVERY).await?;
        // What it finds is logged.
        Witness::of(db, dir, stop).await?.keep(db, stop).await?;
    }
    Ok(())
}
