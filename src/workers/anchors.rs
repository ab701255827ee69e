//! Anchors of the audit log while a console is open: one when it opens and one an hour, if something moved.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::Clock;
use crate::{
    db::{Db, Error, audit},
    ops::audit::{Break, EVERY, Readiness, Witness, anchor_if_due},
};

/// Anchors until it is stopped, and tells how the log differs from what this machine saw of it. What fails is logged
/// and tried again an hour later. Without a clock nothing is written, and the log is only compared.
pub async fn run(
    db: &Db,
    clock: Option<&Clock>,
    dir: &Path,
    stop: &CancellationToken,
    tell: &(dyn Fn(Option<String>) + Send + Sync),
) {
    loop {
        match pass(db, clock, dir, stop).await {
            Ok(broken) => tell(broken.map(|broken| broken.what)),
            Err(Error::Cancelled) => return,
            Err(error) => tracing::warn!(%error, "no anchor was written"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Anchors once, where this login may and one is due, and keeps the head in a directory of this machine; tells how the
/// log differs from the head kept before.
pub async fn pass(
    db: &Db,
    clock: Option<&Clock>,
    dir: &Path,
    stop: &CancellationToken,
) -> Result<Option<Break>, Error> {
    let readiness = db.read("anchor", stop, async |conn| audit::readiness(conn).await).await?;
    if readiness != Readiness::Ready {
        return Ok(None);
    }
    if let Some(clock) = clock {
        anchor_if_due(db, clock(), EVERY).await?;
    }
    Witness::of(db, dir, stop).await?.keep(db, stop).await
}
