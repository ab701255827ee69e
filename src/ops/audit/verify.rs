//! Checks every chain and anchor, and reports the first place where they break.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::digest;
use crate::db::{
    self, Db,
    audit::{self, Head, Missing, Part, Row},
};

/// So many chains, entries or anchors are read by one statement.
const PAGE: i64 = 500;
/// Breaks beyond so many are counted, not described.
const TOLD: usize = 100;

/// A place where the log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// The audit number; none where the entry itself is gone or an anchor is meant.
    pub number: Option<i64>,
    pub what: String,
}

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub chains: u64,
    pub entries: u64,
    pub anchors: u64,
    /// Values that were erased; their digests are still chained.
    pub erased: u64,
    /// How many places are broken.
    pub broken: u64,
    /// The first of them by audit number, then what has none.
    pub breaks: Vec<Break>,
    /// Numbers that were drawn and that no entry has: what drew them was rolled back, or killed, or removed.
    pub missing: Vec<Missing>,
    /// Number and hash of the newest anchor, to be kept elsewhere.
    pub newest_anchor: Option<(i64, Vec<u8>)>,
}

impl Verified {
    /// Everything is as it was written.
    pub fn is_sound(&self) -> bool {
        self.broken == 0
    }

    /// Nothing is broken and no number is missing.
    pub fn is_complete(&self) -> bool {
        self.is_sound() && self.missing.is_empty()
    }

    /// Adds what somebody else saw.
    pub fn add_break(&mut self, broken: Break) {
        self.add(broken.number, broken.what);
    }

    fn add(&mut self, number: Option<i64>, what: String) {
        self.broken += 1;
        // Kept in order, so that what is left out is what comes later.
        let key = |found: &Break| (found.number.is_none(), found.number);
        let new = Break { number, what };
        let at = self.breaks.partition_point(|found| key(found) <= key(&new));
        self.breaks.insert(at, new);
        self.breaks.truncate(TOLD);
    }
}

/// Walks everything, in short statements, while others go on writing.
pub async fn verify(db: &Db, stop: &CancellationToken) -> Result<Verified, db::Error> {
    let mut found = Verified::default();
    let mut after = None;
    loop {
        // Heads before entries: an entry that a head names is there when it is looked for.
        let heads =
            db.read("audit", stop, async |conn| audit::heads(conn, after, PAGE).await).await?;
        let last = heads.last().map(|head| head.chain);
        let is_end = heads.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let upto = last.filter(|_| !is_end).unwrap_or(Uuid::max());
        chains(db, stop, after, upto, &heads, &mut found).await?;
        if is_end {
            break;
        }
        after = last;
    }
    anchors(db, stop, &mut found).await?;
    let missing = async |conn: &mut sqlx::PgConnection| audit::missing(conn, PAGE).await;
    found.missing = db.read("audit", stop, missing).await?;
    Ok(found)
}

/// How far a chain was walked.
#[derive(Clone)]
struct Reached {
    position: i64,
    hash: Vec<u8>,
}

/// All entries of the chains after one, up to another.
async fn chains(
    db: &Db,
    stop: &CancellationToken,
    after: Option<Uuid>,
    upto: Uuid,
    heads: &[Head],
    found: &mut Verified,
) -> Result<(), db::Error> {
    let mut reached: BTreeMap<Uuid, Reached> = BTreeMap::new();
    let heads: BTreeMap<_, _> = heads.iter().map(|head| (head.chain, head)).collect();
    let mut cursor = (after.unwrap_or(Uuid::nil()), if after.is_some() { i64::MAX } else { 0 });
    loop {
        let (rows, parts) = db
            .read("audit", stop, async |conn| {
                let rows = audit::entries(conn, cursor, upto, PAGE).await?;
                let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
                Ok((rows, audit::values(conn, &numbers).await?))
            })
            .await?;
        let Some(end) = rows.last() else { break };
        cursor = (end.chain, end.position);
        for row in &rows {
            let start = || Reached { position: 0, hash: digest::GENESIS.to_vec() };
            let before = reached.get(&row.chain).cloned().unwrap_or_else(start);
            let head = heads.get(&row.chain).copied();
            entry(row, &before, head, found);
            let mine = parts.iter().filter(|part| part.number == row.number);
            values(row, &mine.collect::<Vec<_>>(), found);
            reached.insert(row.chain, Reached { position: row.position, hash: row.hash.clone() });
            found.entries += 1;
        }
    }
    for head in heads.values() {
        found.chains += 1;
        let at = reached.get(&head.chain).map_or(0, |reached| reached.position);
        if at < head.position {
            let Head { chain, position, .. } = head;
            found.add(None, format!("chain {chain} ends at entry {at}, its head is at {position}"));
        }
    }
    for (chain, at) in &reached {
        // Newer entries came while this went on, or the head was set back.
        if heads.get(chain).is_none_or(|head| head.position < at.position) {
            let now = db.read("audit", stop, async |conn| audit::head(conn, *chain).await).await?;
            if now.is_none_or(|head| head.position < at.position) {
                let position = at.position;
                found
                    .add(None, format!("chain {chain} has {position} entries, its head has fewer"));
            }
        }
    }
    Ok(())
}

fn entry(row: &Row, before: &Reached, head: Option<&Head>, found: &mut Verified) {
    let number = Some(row.number);
    if row.position != before.position + 1 {
        let from = before.position + 1;
        let what = format!("entry {from} of chain {} is missing before it", row.chain);
        found.add(number, what);
    } else if row.previous != before.hash {
        found.add(number, "it does not follow the entry before it".to_owned());
    } else if digest::entry(row) != row.hash {
        found.add(number, "it was changed after it was written".to_owned());
    } else if head.is_some_and(|head| head.position == row.position && head.hash != row.hash) {
        found.add(number, "the head of its chain has another hash".to_owned());
    }
}

fn values(row: &Row, parts: &[&Part], found: &mut Verified) {
    let digests = [
        ("before", &row.before_digest),
        ("after", &row.after_digest),
        ("reason", &row.reason_digest),
    ];
    for (name, stored) in digests {
        let part = parts.iter().find(|part| part.part == name);
        match (stored, part) {
            (Some(stored), Some(part)) if *stored == digest::value(part) => {}
            (_, Some(_)) => {
                found.add(Some(row.number), format!("the value {name} is not what was recorded"));
            }
            (Some(_), None) => found.erased += 1,
            (None, None) => {}
        }
    }
}

async fn anchors(db: &Db, stop: &CancellationToken, found: &mut Verified) -> Result<(), db::Error> {
    let mut before = (0, digest::GENESIS.to_vec());
    loop {
        let (anchors, heads, links) = db
            .read("audit", stop, async |conn| {
                let anchors = audit::anchors(conn, before.0, PAGE).await?;
                let numbers: Vec<_> = anchors.iter().map(|anchor| anchor.number).collect();
                let heads = audit::anchor_heads(conn, &numbers).await?;
                Ok((anchors, heads, audit::entry_hashes(conn, &numbers).await?))
            })
            .await?;
        if anchors.is_empty() {
            break;
        }
        let links: BTreeMap<_, _> =
            links.iter().map(|link| ((link.chain, link.position), &link.hash)).collect();
        for anchor in anchors {
            let number = anchor.number;
            let mine: Vec<_> = heads.iter().filter(|head| head.anchor == number).cloned().collect();
            if number != before.0 + 1 {
                found.add(None, format!("anchor {} is missing", before.0 + 1));
            } else if anchor.previous != before.1 {
                found.add(None, format!("anchor {number} does not follow the one before it"));
            } else if digest::anchor(&anchor, &mine) != anchor.hash {
                found.add(None, format!("anchor {number} was changed after it was written"));
            }
            for head in &mine {
                let there = links.get(&(head.chain, head.position));
                if there.is_none_or(|hash| **hash != head.hash) {
                    let state = if there.is_some() { "is another one" } else { "is gone" };
                    let what = format!(
                        "entry {} of chain {}, which anchor {number} holds, {state}",
                        head.position, head.chain
                    );
                    found.add(None, what);
                }
            }
            found.anchors += 1;
            before = (number, anchor.hash);
        }
    }
    found.newest_anchor = Some(before).filter(|(number, _)| *number > 0);
    Ok(())
}
