//! Arguments of the verbs that write.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::OutputArg;

/// Whether and why something is written.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Only show what it would do; nothing is written, not even a record
    #[arg(long)]
    pub dry_run: bool,
    /// Why; it goes on record (when cancelling also into the event)
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// What would be typed, where --yes is not enough: the word of the plan, and the context: 'CANCEL prod'
    #[arg(long, value_name = "TEXT")]
    pub confirm: Option<String>,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct WriteArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Refuse if the order is not at this version
    #[arg(long, value_name = "N")]
    pub expect_version: Option<i64>,
    /// The same key does it once, however often it is repeated: an id, or any text
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    #[command(flatten)]
    pub output: OutputArg,
}

/// A command about an order that is there.
#[derive(Debug, Clone, Args)]
pub struct EndArgs {
    /// The order's id or the end of it
    pub id: String,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// A new order: as JSON, or in options.
#[derive(Debug, Clone, Args)]
pub struct CreateOrder {
    /// JSON from this file, or - for standard input: {"id"?, "buyer", "note"?, "lines": [{"book", "quantity", "price"}]}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "buyer", "line", "note"])]
    pub json: Option<PathBuf>,
    /// Its id (default: a new one)
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The buyer's id
    #[arg(long, value_name = "ID", required_unless_present = "json")]
    pub buyer: Option<String>,
    /// A book's id, how many, and the price of one; may be repeated
    #[arg(long, value_name = "BOOK:QUANTITY:PRICE")]
    pub line: Vec<String>,
    /// A note
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Where a buyer lives; what is not given is unknown.
#[derive(Debug, Clone, Default, Args)]
pub struct AddressArgs {
    /// At most 50 characters
    #[arg(long, value_name = "TEXT")]
    pub street: Option<String>,
    /// At most 50 characters
    #[arg(long, value_name = "TEXT")]
    pub city: Option<String>,
    /// At most 50 characters
    #[arg(long, value_name = "TEXT")]
    pub province: Option<String>,
}

/// Buyers.
#[derive(Debug, Subcommand)]
pub enum Buyer {
    /// Make a buyer
    Create {
        /// JSON from this file, or - for standard input: {"id"?, "name", "street"?, "city"?, "province"?}
        #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "name", "street", "city", "province"])]
        json: Option<PathBuf>,
        /// Their id (default: a new one)
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// At most 20 characters
        #[arg(long, value_name = "TEXT", required_unless_present = "json")]
        name: Option<String>,
        #[command(flatten)]
        address: AddressArgs,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Give a buyer another address
    Address {
        /// The buyer's id
        id: String,
        /// JSON from this file, or - for standard input: {"street"?, "city"?, "province"?}
        #[arg(long, value_name = "FILE", conflicts_with_all = ["street", "city", "province"])]
        json: Option<PathBuf>,
        #[command(flatten)]
        address: AddressArgs,
        #[command(flatten)]
        write: WriteArgs,
    },
}

/// The record of what operators did.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Entries, newest first
    List {
        /// About this order or buyer: its id, or the end of an order's
        #[arg(long, value_name = "ID")]
        order: Option<String>,
        /// By this operator
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Not before the beginning of this moment: '2h ago', 16:30, 2026-11-22T16:30
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most this many (1 to 10000)
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        #[command(flatten)]
        reveal: RevealArg,
        #[command(flatten)]
        output: OutputArg,
    },
    /// One entry with all that it keeps: what was there before, what came of it, which messages
    Show {
        /// Its audit number
        #[arg(value_name = "NUMBER")]
        number: i64,
        #[command(flatten)]
        reveal: RevealArg,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Walk every chain and anchor, compare with what this machine saw, and tell the first place that is not as it was
    /// written, and which numbers are missing
    Verify {
        #[command(flatten)]
        output: OutputArg,
    },
}

/// Showing what is masked.
#[derive(Debug, Clone, Args)]
pub struct RevealArg {
    /// Show what is personal, for this reason; it goes on record first
    #[arg(long, value_name = "WHY")]
    pub reveal: Option<String>,
}

/// Who publishes a service's integration events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PublisherArg {
    /// Its own subscription to the events it stored: a message from us would be a second one
    Service,
    /// The outbox tables
    Outbox,
    /// Nobody has looked yet: commands that would publish are refused until someone says it
    Unknown,
}

/// Attaching and handing over.
#[derive(Debug, Clone, Args)]
pub struct OwnershipArgs {
    /// Who publishes integration events there (default: as recorded, at first unknown)
    #[arg(long, value_enum)]
    pub publisher: Option<PublisherArg>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub output: OutputArg,
}

/// Bringing the schema up to date.
#[derive(Debug, Clone, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub output: OutputArg,
}
