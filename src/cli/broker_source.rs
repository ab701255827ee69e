//! The broker and its queues, as the configuration names them.

use chrono::TimeDelta;

use super::Failure;
use crate::{
    config::{self, Settings},
    ops::error_queue::{Scope, Source},
    relay::{Broker, Limits, Management},
};

/// The configured broker and queues; `url` replaces the configured broker.
pub(super) fn source(url: Option<&str>, settings: &Settings) -> Result<Source, Failure> {
    let (url, password) = config::broker(url, settings)?;
    let broker = Broker::parse(&url, password)?;
    let file = &settings.file.errors;
    let scope = Scope {
        queues: file.queues.clone(),
        consumers: settings.consumers.clone(),
        // If it is not configured, the oldest delivered row decides.
        window: settings
            .file
            .messages
            .duplicate_window
            .map(|seconds| TimeDelta::seconds(i64::from(seconds))),
        management: file.management.as_deref().map(Management::parse).transpose()?,
        limits: Limits::default(),
    };
    Ok(Source { broker, scope })
}
