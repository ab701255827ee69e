//! Anchors of the audit log while a console is open: one when it opens and one an hour, if something moved.

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use crate::{
    db::{Db, Error, audit},
    ops::audit::{EVERY, Readiness, anchor_if_due},
};

/// Anchors until it is stopped. What fails is logged and tried again an hour later.
pub async fn run(db: &Db, stop: &CancellationToken) {
    loop {
        match pass(db, stop).await {
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

/// Anchors once, where this login may and one is due.
pub async fn pass(db: &Db, stop: &CancellationToken) -> Result<(), Error> {
    let readiness = db.read("anchor", stop, async |conn| audit::readiness(conn).await).await?;
    if readiness == Readiness::Ready {
        anchor_if_due(db, Utc::now(), EVERY).await?;
    }
    Ok(())
}
