//! Arguments of the verbs about bulk operations.

use clap::Subcommand;

use super::{OutboxActionArgs, OutputArg};

/// Told under `op --help`.
pub const OP_HELP: &str = "\
Examples:
  orderscope inbox purge --reason 'disk is full'  # begins one; Ctrl-C pauses it
  orderscope op list
  orderscope op resume 7 --reason 'disk is full'
  orderscope op show 7 --items --only-troubles";

/// Bulk operations.
#[derive(Debug, Clone, Subcommand)]
pub enum Op {
    /// Those that are not over, newest first
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
        /// At most this many (1 to 10000)
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        #[command(flatten)]
        output: OutputArg,
    },
    /// All that is known of one: counts, who runs it, what was skipped and why, what arrived since
    Show {
        /// Its number
        number: i64,
        /// Its items with what became of each
        #[arg(long)]
        items: bool,
        /// Only items that were skipped or failed
        #[arg(long, requires = "items")]
        only_troubles: bool,
        /// Items after this ordinal
        #[arg(long, requires = "items", default_value_t = 0)]
        after: i64,
        /// At most this many items (1 to 10000)
        #[arg(long, requires = "items", default_value_t = 100,
            value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Run one, or go on with it where it stopped
    ///
    /// After it stopped by itself this accepts what failed until then.
    Resume {
        /// Its number
        number: i64,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Pause one after the batch under way, whoever runs it
    Pause {
        /// Its number
        number: i64,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// End one early: what is done stays done, the rest is left as it is
    Cancel {
        /// Its number
        number: i64,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
    /// Approve one that somebody else began and that is too large for one person
    Approve {
        /// Its number
        number: i64,
        #[command(flatten)]
        write: OutboxActionArgs,
    },
}
