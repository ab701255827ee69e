//! Anchors: from time to time one hash over every head that moved.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

use super::digest;
use crate::db::{
    self, Db,
    audit::{self, Anchor, AnchorHead},
};

/// How often an anchor is due, unless the caller says otherwise.
pub const EVERY: Duration = Duration::from_hours(1);

/// Writes an anchor if the newest is older than `every`, something moved since, and no one else is doing it.
/// Tells the new anchor.
///
/// Anchors are a chain of their own, so each one stands for all heads: those that moved since the one before
/// are in it, the others in an earlier one.
pub async fn anchor_if_due(
    db: &Db,
    now: DateTime<Utc>,
    every: Duration,
) -> Result<Option<Anchor>, db::Error> {
    db.record("anchor", async |tx| {
        if !audit::try_anchor_lock(tx).await? {
            return Ok(None);
        }
        let newest = audit::newest_anchor(tx).await?;
        let age = newest.as_ref().map(|anchor| now.signed_duration_since(anchor.at));
        // One that is dated ahead was written by a wrong clock, and stops no other.
        if age.is_some_and(|age| age.to_std().is_ok_and(|age| age < every)) {
            return Ok(None);
        }
        let heads = audit::moved_heads(tx).await?;
        if heads.is_empty() {
            return Ok(None);
        }
        let (number, previous) = match newest {
            Some(newest) => (newest.number + 1, newest.hash),
            None => (1, digest::GENESIS.to_vec()),
        };
        let mut anchor = Anchor { number, at: now.trunc_subsecs(6), previous, hash: vec![] };
        let held: Vec<_> = heads
            .iter()
            .map(|head| AnchorHead {
                anchor: number,
                chain: head.chain,
                position: head.position,
                hash: head.hash.clone(),
            })
            .collect();
        anchor.hash = digest::anchor(&anchor, &held);
        audit::add_anchor(tx, &anchor, &heads).await?;
        Ok(Some(anchor))
    })
    .await
}
