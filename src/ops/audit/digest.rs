//! The hashes of the audit log, byte by byte.
//!
//! Every hash is SHA-256 over fields, each written as its length in bytes (eight bytes, big-endian) followed by
//! its bytes, so that no two different lists of fields have the same bytes. Numbers are eight bytes,
//! big-endian, two's complement; instants are microseconds since 1970-01-01T00:00:00Z as such a number (what
//! PostgreSQL keeps, so an instant hashes the same after a round trip); ids are their 16 bytes; texts are
//! UTF-8; a digest that is not there is an empty field, one that is there has 32 bytes.
//!
//! - **value**: `orderscope audit value 1`, the part (`before`, `after` or `reason`), the salt (32 random
//!   bytes), the text (JSON for `before` and `after`).
//! - **entry**: `orderscope audit entry 1`, audit number, chain, position, the hash of the entry before (32 zero
//!   bytes for the first), operation, time, operator, host, role, login, intent, how many targets, each target,
//!   digest of before, digest of after, digest of reason.
//! - **anchor**: `orderscope audit anchor 1`, its number, time, the hash of the anchor before (32 zero bytes for
//!   the first), how many heads, then of each head, in the order of the chains' ids: chain, position, hash.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::db::audit::{Anchor, AnchorHead, Part, Row};

/// What the first of a chain follows.
pub const GENESIS: [u8; 32] = [0; 32];

#[derive(Default)]
struct Fields(Sha256);

impl Fields {
    fn of(name: &str) -> Self {
        Self::default().text(name)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn number(self, number: i64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    fn count(self, count: usize) -> Self {
        self.bytes(&(count as u64).to_be_bytes())
    }

    fn time(self, at: DateTime<Utc>) -> Self {
        self.number(at.timestamp_micros())
    }

    fn maybe(self, digest: Option<&Vec<u8>>) -> Self {
        self.bytes(digest.map_or(&[], Vec::as_slice))
    }

    fn hash(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

/// The salted digest of a value.
pub fn value(part: &Part) -> Vec<u8> {
    Fields::of("orderscope audit value 1")
        .text(&part.part)
        .bytes(&part.salt)
        .text(&part.value)
        .hash()
}

/// The hash of an entry, from everything in it but the hash itself.
pub fn entry(row: &Row) -> Vec<u8> {
    let mut fields = Fields::of("orderscope audit entry 1")
        .number(row.number)
        .bytes(row.chain.as_bytes())
        .number(row.position)
        .bytes(&row.previous)
        .bytes(row.operation.as_bytes())
        .time(row.at)
        .text(&row.operator)
        .text(&row.host)
        .text(&row.role)
        .text(&row.login)
        .text(&row.intent)
        .count(row.targets.len());
    for target in &row.targets {
        fields = fields.text(target);
    }
    fields
        .maybe(row.before_digest.as_ref())
        .maybe(row.after_digest.as_ref())
        .maybe(row.reason_digest.as_ref())
        .hash()
}

/// The hash of an anchor over its heads, which are in the order of their chains.
pub fn anchor(anchor: &Anchor, heads: &[AnchorHead]) -> Vec<u8> {
    let mut fields = Fields::of("orderscope audit anchor 1")
        .number(anchor.number)
        .time(anchor.at)
        .bytes(&anchor.previous)
        .count(heads.len());
    for head in heads {
        fields = fields.bytes(head.chain.as_bytes()).number(head.position).bytes(&head.hash);
    }
    fields.hash()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row() -> Row {
        Row {
            number: 7,
            chain: Uuid::from_u128(1),
            position: 1,
            operation: Uuid::from_u128(2),
            at: DateTime::from_timestamp_micros(1_795_000_000_000_001).unwrap(),
            operator: "mai".to_owned(),
            host: "ea-1".to_owned(),
            role: "support".to_owned(),
            login: "mai".to_owned(),
            intent: "CancelOrder".to_owned(),
            targets: vec!["order 1".to_owned()],
            before_digest: None,
            after_digest: Some(vec![1; 32]),
            reason_digest: None,
            previous: GENESIS.to_vec(),
            hash: vec![],
        }
    }

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write;
        bytes.iter().fold(String::new(), |mut out, byte| {
            write!(out, "{byte:02x}").unwrap();
            out
        })
    }

    /// Written down by another program from the description above; see docs/audit.md.
    #[test]
    fn the_bytes_are_those_of_the_description() {
        let part = Part {
            number: 7,
            part: "reason".to_owned(),
            salt: vec![2; 32],
            value: "khách đổi ý".to_owned(),
        };
        assert_eq!(
            hex(&value(&part)),
            "995727dde21ce41e570107011d2819fd2405f5f7eb07378e200321a82d2cdc0b"
        );
        assert_eq!(
            hex(&entry(&row())),
            "2948ecf8fdcfde40328081c85d6949733056c19d698012538ebacfc815399ec8"
        );
    }

    #[test]
    fn every_field_counts() {
        let right = entry(&row());
        let changes: [fn(&mut Row); 17] = [
            |row| row.number = 8,
            |row| row.chain = Uuid::from_u128(3),
            |row| row.position = 2,
            |row| row.operation = Uuid::from_u128(3),
            |row| row.at += chrono::TimeDelta::microseconds(1),
            |row| row.operator = "tam".to_owned(),
            |row| row.host = "ea-2".to_owned(),
            |row| row.role = "lead".to_owned(),
            |row| row.login = "tam".to_owned(),
            |row| row.intent = "DeleteOrder".to_owned(),
            |row| row.targets = vec!["order 2".to_owned()],
            |row| row.targets = vec!["order".to_owned(), "1".to_owned()],
            |row| row.targets = vec![],
            |row| (row.before_digest, row.after_digest) = (row.after_digest.clone(), None),
            |row| row.after_digest = None,
            |row| row.reason_digest = Some(vec![1; 32]),
            |row| row.previous = vec![1; 32],
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = row();
            change(&mut changed);
            assert_ne!(entry(&changed), right, "change {index}");
        }
    }
}
