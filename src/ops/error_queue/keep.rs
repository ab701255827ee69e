//! Copies of what is taken out of an error queue, made before it is taken.

use std::future::Future;

use serde_json::{Map, Value, json};
use sqlx::Connection;
use uuid::Uuid;

use crate::{
    db::{self, Pool, archive},
    domain::{
        fault::{Judgement, Key},
        id::MessageId,
    },
};

/// A message as it was, and what was thought of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultCopy {
    pub key: Key,
    pub queue: String,
    pub home: Option<String>,
    pub message: Option<MessageId>,
    pub judgement: Judgement,
    pub properties: Value,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

/// Where copies go. The message is touched only after this returned without an error, so the copy has to be
/// durable by then.
pub trait Keep {
    /// Keeps one copy, durably.
    ///
    /// # Errors
    /// When it may be lost; the message then stays where it is.
    fn keep(&mut self, copy: &FaultCopy) -> impl Future<Output = Result<(), String>> + Send;
}

/// Copies in schema `orderscope`, one transaction each, under the operation that is on record.
#[derive(Debug)]
pub struct TableKeep {
    pool: Pool,
    operation: Uuid,
}

impl TableKeep {
    /// For the messages of one operation.
    #[must_use]
    pub fn new(pool: &Pool, operation: Uuid) -> Self {
        Self { pool: pool.clone(), operation }
    }
}

impl Keep for TableKeep {
    async fn keep(&mut self, copy: &FaultCopy) -> Result<(), String> {
        let kept = async {
            let mut session = self.pool.session("errors discard").await?;
            let mut tx = session.begin().await?;
            let (message, rest) = (copy.message.map(|id| id.0), copy.rest());
            archive::discarded(&mut tx, self.operation, &copy.queue, message, &copy.body, &rest)
                .await?;
            tx.commit().await?;
            session.finish();
            Ok::<_, db::Error>(())
        };
        kept.await.map_err(|error| error.to_string())
    }
}

impl FaultCopy {
    /// Everything but the body, so that the message can be made again.
    #[must_use]
    pub fn rest(&self) -> Value {
        json!({
            "key": self.key.as_str(),
            "home": self.home,
            "verdict": self.judgement.verdict.to_string(),
            "why": self.judgement.why.to_string(),
            "properties": self.properties,
            "headers": self.headers,
        })
    }
}
