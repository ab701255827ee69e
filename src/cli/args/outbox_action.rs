//! Arguments of the verbs that change messages and inbox rows by hand.

use std::{num::NonZeroU32, path::PathBuf};

use clap::{Args, Subcommand};

use super::{OutputArg, RunArgs, WriteArgs};

/// What every one of them takes.
#[derive(Debug, Clone, Args)]
pub struct OutboxActionArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// The same key does it once, however often it is repeated: an id, or any text
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    #[command(flatten)]
    pub output: OutputArg,
}

impl From<OutboxActionArgs> for WriteArgs {
    fn from(args: OutboxActionArgs) -> Self {
        let OutboxActionArgs { run, idempotency_key, output } = args;
        Self { run, expect_version: None, idempotency_key, output }
    }
}

/// How old.
#[derive(Debug, Clone, Args)]
pub struct AgeArgs {
    /// Only what is older than so many days
    #[arg(long, value_name = "DAYS", conflicts_with = "before",
        value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub older_than: Option<u16>,
    /// Only what is from before the beginning of this moment: '8d ago', 2026-11-22T16:30
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
    /// At most this many rows a second (outboxes count as one each)
    #[arg(long, value_name = "N")]
    pub rate: Option<NonZeroU32>,
}

/// Changing messages by hand.
#[derive(Debug, Clone, Subcommand)]
pub enum MessageAction {
    /// Keep the relay away from an outbox (managed databases: MassTransit knows no pause)
    Hold {
        /// The outbox's id, or a message of it: its sequence number or message id
        id: String,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Let the relay have a held outbox again
    Release {
        /// The outbox's id, or a message of it: its sequence number or message id
        id: String,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Change the texts of a pending message, so that it can leave; as it was it is kept
    Repair {
        /// Its sequence number or message id
        id: String,
        /// Where it goes: `rabbitmq://HOST/EXCHANGE`; the exchange among its properties follows
        #[arg(long, value_name = "ADDRESS")]
        destination: Option<String>,
        /// Its headers, a JSON object; an empty text for none
        #[arg(long, value_name = "JSON")]
        headers: Option<String>,
        /// Its transport properties, a JSON object
        #[arg(long, value_name = "JSON")]
        properties: Option<String>,
        /// Its whole body from this file, or - for standard input; its messageId stays the same
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Take a message out of the outbox, with a copy, so that those behind it leave
    Quarantine {
        /// Its sequence number or message id
        id: String,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Put a kept message, or one from a file, into the outbox
    Requeue {
        /// The copy's number (`messages list --view kept`), or the message's id
        #[arg(required_unless_present = "json")]
        id: Option<String>,
        /// Under another id: every consumer handles it, also those that did before
        #[arg(long)]
        new_id: bool,
        /// JSON from this file, or - for standard input, with the columns' names: `{"message_type", "body",
        /// "destination_address", "message_id"?, "headers"?, "properties"?, …}`
        #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "new_id"])]
        json: Option<PathBuf>,
        /// Where it goes instead: `rabbitmq://HOST/EXCHANGE`; the copy stays as it is
        #[arg(long, value_name = "ADDRESS", requires = "id")]
        destination: Option<String>,
        /// Other headers, a JSON object; an empty text for none
        #[arg(long, value_name = "JSON", requires = "id")]
        headers: Option<String>,
        /// Other transport properties, a JSON object
        #[arg(long, value_name = "JSON", requires = "id")]
        properties: Option<String>,
        /// Another body from this file, or - for standard input; its messageId stays the same
        #[arg(long, value_name = "FILE", requires = "id")]
        body: Option<PathBuf>,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Remove what outboxes delivered (default: 7 days ago or earlier), with copies
    Purge {
        #[command(flatten)]
        age: AgeArgs,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Remove delivered messages of consumers (default: a day ago or earlier), with copies: while they are there a
    /// service cannot clean up its inbox
    PurgeConsumed {
        #[command(flatten)]
        age: AgeArgs,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
}

/// Changing the inbox by hand.
#[derive(Debug, Clone, Subcommand)]
pub enum InboxAction {
    /// Remove delivered rows (default: 30 days ago or earlier) that no message refers to
    Purge {
        #[command(flatten)]
        age: AgeArgs,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Remove rows that were received (default: a day ago or earlier), never consumed, and that nobody works on
    RemoveFailed {
        #[command(flatten)]
        age: AgeArgs,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
}
