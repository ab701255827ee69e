//! Copies of what is taken out of an error queue, made before it is taken.

use std::{future::Future, io, path::Path};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tokio::{fs::File, io::AsyncWriteExt};

use super::Deed;
use crate::domain::fault::{Judgement, Key};

/// A message as it was, with what is done to it and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub at: DateTime<Utc>,
    pub deed: Deed,
    pub by: String,
    pub reason: String,
    pub key: Key,
    pub queue: String,
    pub home: Option<String>,
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
    fn keep(&mut self, copy: &Copy) -> impl Future<Output = Result<(), String>> + Send;
}

/// Copies as lines of JSON in a file that only grows.
#[derive(Debug)]
pub struct FileKeep {
    file: File,
}

impl FileKeep {
    /// Opens the file, which only its owner may read: bodies hold personal data.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub async fn open(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        tokio::fs::create_dir_all(folder).await?;
        let mut options = File::options();
        options.create(true).append(true).mode(0o600);
        let file = options.open(path).await?;
        // A new file's name has to survive as well.
        File::open(folder).await?.sync_all().await?;
        Ok(Self { file })
    }
}

impl Keep for FileKeep {
    async fn keep(&mut self, copy: &Copy) -> Result<(), String> {
        let mut line = copy.json().to_string();
        line.push('\n');
        let written = async {
            self.file.write_all(line.as_bytes()).await?;
            self.file.flush().await?;
            self.file.sync_data().await
        };
        written.await.map_err(|error| error.to_string())
    }
}

impl Copy {
    /// Everything, so that the message can be made again. A body that is no text is written as bytes.
    #[must_use]
    pub fn json(&self) -> Value {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => json!({ "text": text }),
            Err(_) => json!({ "bytes": self.body }),
        };
        json!({
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "deed": self.deed.name(),
            "by": self.by,
            "reason": self.reason,
            "key": self.key.as_str(),
            "queue": self.queue,
            "home": self.home,
            "verdict": self.judgement.verdict.to_string(),
            "why": self.judgement.why.to_string(),
            "properties": self.properties,
            "headers": self.headers,
            "body": body,
        })
    }
}
