//! A witness outside the database: the newest entry and the count of entries, as this machine last saw them. Who can
//! change every table cannot change this file, too.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{LocalLog, verify::Break};
use crate::{
    db::{
        self, Db,
        audit::{self, Top},
    },
    domain::text::hex,
};

/// The file for one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness(PathBuf);

impl Witness {
    /// Of this database, in a directory of this machine.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(db: &Db, dir: &Path, stop: &CancellationToken) -> Result<Self, db::Error> {
        let made = db.read("audit", stop, async |conn| audit::made(conn).await).await?;
        let name = hex(&Sha256::digest(format!("{} {made}", db.place())));
        Ok(Self(dir.join(format!("audit-head-{}.jsonl", &name[..16]))))
    }

    /// What this machine saw last, if it looked before.
    fn seen(&self) -> Result<Option<Top>, Break> {
        let damaged = |why: &str| Break {
            number: None,
            what: format!(
                "what this machine saw of it cannot be read, {why}: {}; put it aside once it is known why",
                self.0.display()
            ),
        };
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(&error.to_string())),
        };
        let top = |line: &str| {
            let seen: Value = serde_json::from_str(line).ok()?;
            Some(Top {
                number: seen["number"].as_i64()?,
                hash: unhex(seen["hash"].as_str()?)?,
                count: seen["count"].as_i64()?,
            })
        };
        match text.lines().last().map(top) {
            Some(Some(seen)) => Ok(Some(seen)),
            Some(None) | None => Err(damaged("it is not as it was written")),
        }
    }

    /// What is not as this machine saw it: entries that are gone, or another one in the place of the newest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn compare(
        &self,
        db: &Db,
        stop: &CancellationToken,
    ) -> Result<Option<Break>, db::Error> {
        let seen = match self.seen() {
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(None),
            Err(damaged) => return Ok(Some(damaged)),
        };
        let now = async |conn: &mut sqlx::PgConnection| audit::top(conn, seen.number).await;
        let now = db.read("audit", stop, now).await?;
        let there = now.as_ref().map_or(0, |now| now.count);
        let same = now.is_some_and(|now| now.number == seen.number && now.hash == seen.hash);
        if same && there >= seen.count {
            return Ok(None);
        }
        let Top { number, count, .. } = seen;
        let what = format!(
            "this machine saw {count} entries up to number {number}, now there are {there}{}: entries were removed or \
             changed, or an older copy of the database was put in its place; what was seen is in {}",
            if same { "" } else { ", and that one is gone or another" },
            self.0.display()
        );
        Ok(Some(Break { number: None, what }))
    }

    /// Compares, and keeps what is there now if nothing is wrong; tells what is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep(
        &self,
        db: &Db,
        stop: &CancellationToken,
    ) -> Result<Option<Break>, db::Error> {
        if let Some(broken) = self.compare(db, stop).await? {
            tracing::error!(what = broken.what, "the audit log is not as it was");
            return Ok(Some(broken));
        }
        let now = db.read("audit", stop, async |conn| audit::top(conn, i64::MAX).await).await?;
        let Some(Top { number, hash, count }) = now else { return Ok(None) };
        let hash = hex(&hash);
        tracing::info!(place = db.place(), number, count, hash, "audit head");
        let line = json!({ "place": db.place(), "number": number, "count": count, "hash": hash });
        if let Err(why) = LocalLog::new(self.0.clone()).append(&line) {
            tracing::warn!(why, "the head of the audit log was not kept on this machine");
        }
        Ok(None)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}
