//! The command line, as clap reads it and as the man page and completions are made from.

use std::{ffi::OsString, path::PathBuf};

mod broker;
mod messages;
mod op;
mod outbox_action;
mod write;

use chrono::NaiveDate;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{Error, has_password, is_address_like};
pub use broker::{
    CONSUME_HELP, Consume, Drain, ERRORS_HELP, ErrorPick, ErrorScope, ErrorWork, Errors,
    RELAY_HELP, Relay,
};
pub use messages::{Inbox, InboxRows, MessageView, Messages, Only};
pub use op::{OP_HELP, Op};
pub use outbox_action::{AgeArgs, InboxAction, MessageAction, OutboxActionArgs};
pub use write::{
    AddressArgs, Audit, Buyer, CreateOrder, EndArgs, MigrateArgs, OwnershipArgs, PublisherArg,
    RevealArg, RunArgs, WriteArgs,
};

/// A terminal operations console for event-sourced orders on PostgreSQL.
///
/// Without a verb it opens the full-screen console. Without a database it runs a private PostgreSQL of
/// its own, filled with demo orders.
#[derive(Debug, Parser)]
#[command(
    name = "orderscope",
    version,
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

impl Cli {
    /// Reads the command line, terms with a hyphen before them included.
    ///
    /// # Errors
    /// When it is not one, or asks for help.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(spelt(arguments)).map_err(|error| {
            // A mistake is told with the words of the command line. Its first line has them.
            let told = error.to_string();
            let words = told.lines().next().unwrap_or_default();
            let why = match () {
                () if !error.use_stderr() => return error,
                () if has_password(words) => Error::PasswordInArguments,
                () if is_address_like(words) => Error::AddressMisplaced,
                () => return error,
            };
            Self::command().error(error.kind(), why)
        })
    }
}

/// After `orders search`, `-status:new` is a term to leave out, where clap would see short options.
fn spelt(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = vec![];
    let mut plain = false;
    for argument in arguments {
        let searching = out.windows(2).any(|words| words[0] == "orders" && words[1] == "search");
        plain |= argument == "--";
        // `--zone -05:00`
        let value = out.last().is_some_and(|last| last == "--zone");
        let term = argument.to_str().and_then(|text| text.strip_prefix('-')).filter(|term| {
            let output = term.strip_prefix('o').is_some_and(|form| {
                let form = form.trim_start_matches('=');
                form.is_empty() || <Output as ValueEnum>::from_str(form, true).is_ok()
            });
            !(term.is_empty() || term.starts_with('-') || output || *term == "h")
        });
        match term {
            Some(term) if searching && !plain && !value => out.push(format!("--not={term}").into()),
            _ => out.push(argument),
        }
    }
    out
}

/// Told under `--help`: scripts rely on them.
pub const EXIT_CODES: &str = "\
Exit codes: 0 found or done, 1 nothing found or a finding, 2 wrong usage or settings,
3 database unreachable, 4 refused, 5 partly done, or not all could be looked at.";

/// Told under `--database-url`.
const URL_HELP: &str = "\
PostgreSQL URL without a password: postgres://USER@HOST:PORT/DATABASE, or a string of key=value

Passwords come from PGPASSWORD, a pass file or DATABASE_URL. Precedence: this, --context, \
DATABASE_URL, PG* variables, the configuration's default, the private database.";

/// What every verb and the console understand.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// PostgreSQL URL without a password: `postgres://USER@HOST:PORT/DATABASE`
    #[arg(long, global = true, value_name = "URL", conflicts_with = "context", long_help = URL_HELP)]
    pub database_url: Option<String>,
    /// A named database of the configuration; `local` is the private one
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show times in this zone: UTC, local, +09:00 or a name such as Asia/Tokyo (JSON and CSV stay in UTC)
    #[arg(long, global = true, value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Option<String>,
    /// Colours of the console: ansi, dusk, paper or mono (`NO_COLOR` is honoured)
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Who is recorded as acting, in place of the operating system's user
    #[arg(long, global = true, value_name = "NAME")]
    pub operator: Option<String>,
    /// Write nothing, whatever is asked for; nothing unlocks it
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Write a log of what the program does to this file (`RUST_LOG` sets the detail)
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// What can be done without the console.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Search orders
    #[command(subcommand)]
    Orders(Orders),
    /// Look at one order, or command it
    #[command(subcommand)]
    Order(Order),
    /// Integration messages: how many wait, and why
    #[command(subcommand)]
    Messages(Messages),
    /// The inbox: what consumers received, failed at, or did half
    #[command(subcommand)]
    Inbox(Inbox),
    /// Command buyers
    #[command(subcommand)]
    Buyer(Buyer),
    /// Bulk operations: what they are at, and what becomes of them
    ///
    /// Verbs that write to very many rows freeze a list of them and do it batch by batch. Stopped or killed at any
    /// point, such an operation goes on where it stopped, from any console.
    #[command(subcommand, after_help = OP_HELP)]
    Op(Op),
    /// The record of what operators did
    #[command(subcommand)]
    Audit(Audit),
    /// Deliver outbox messages to RabbitMQ
    ///
    /// Messages leave in order inside each outbox, each confirmed by the broker. Several relays, and a running
    /// MassTransit, share the work. A message that cannot be delivered holds its own outbox only, and is told.
    #[command(after_help = RELAY_HELP)]
    Relay(Relay),
    /// Complete and cancel orders as messages say
    ///
    /// Off unless commands.queue names a queue. Each message is run once, however often it comes. A refusal ends in
    /// the queue's error queue; what may pass by itself is tried again.
    #[command(after_help = CONSUME_HELP)]
    Consume(Consume),
    /// The broker's error queues: failed messages, replayed or discarded
    #[command(subcommand)]
    Errors(Errors),
    /// Open the console at an ops:// link
    Open {
        /// `ops://CONTEXT/order/ID@VERSION?diff=A:B`, `ops://CONTEXT/orders?q=QUERY` or
        /// `ops://CONTEXT/messages/SEQ?LIST`
        link: String,
    },
    /// The private PostgreSQL
    #[command(subcommand)]
    Db(Db),
    /// Make an empty database ready for Orderscope, or bring one of its own up to date
    Migrate(MigrateArgs),
    /// Make schema orderscope in a service's database, so that commands can run there and are recorded
    Attach(OwnershipArgs),
    /// Give a database of Orderscope's own to the service, for good
    HandOver(OwnershipArgs),
    /// Demo data
    #[command(subcommand)]
    Demo(Demo),
    /// Print shell completions
    Completions { shell: clap_complete::Shell },
    /// Print a man page (roff): of the program, or of a verb such as `orders search`
    Man { verb: Vec<String> },
}

#[derive(Debug, Subcommand)]
pub enum Orders {
    /// Find orders by any id or id tail, buyer, book, note, correlation id, or field:value
    #[command(after_help = SEARCH_HELP)]
    Search {
        /// The query, as typed into the console's search box; nothing lists the newest orders
        query: Vec<String>,
        /// Leave out what this term finds; a hyphen before the term says the same
        #[arg(long = "not", value_name = "TERM")]
        without: Vec<String>,
        /// At most this many rows (1 to 10000)
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        /// Also count all matches (exact up to 10,000)
        #[arg(long)]
        count: bool,
        #[command(flatten)]
        output: OutputArg,
    },
}

/// Told under `orders search --help`.
pub const SEARCH_HELP: &str = "\
Examples:
  orderscope orders search 8c41  # the end of an id
  orderscope orders search 'buyer:\"nguyễn\" status:new'
  orderscope orders search placed:16:30..18:15 total:'>100'
  orderscope orders search has:undelivered -status:completed --output json";

#[derive(Debug, Subcommand)]
pub enum Order {
    /// The order now, at a time or at a version, with its three sources compared
    Show {
        /// The order's id or the end of it
        id: String,
        /// State at the end of this second, minute or day: '2h ago', 16:30, 2026-11-22T16:30:05
        #[arg(long, value_name = "TIME", conflicts_with = "version")]
        at: Option<String>,
        /// State after this version
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        #[command(flatten)]
        read: HistoryArgs,
    },
    /// Every event of the order
    Timeline {
        /// The order's id or the end of it
        id: String,
        #[command(flatten)]
        read: HistoryArgs,
    },
    /// What led to each event and what followed: command, event, message, delivery, consumer
    ///
    /// A hop is proven (the columns that are equal are named), inferred (with the reason), absent (known not
    /// to be there: a message row that is gone was delivered or purged, no table tells which) or unknown.
    Chain {
        /// The order's id or the end of it
        id: String,
        #[command(flatten)]
        read: HistoryArgs,
    },
    /// The events as they are stored, with metadata and body
    Events {
        /// The order's id or the end of it
        id: String,
        #[command(flatten)]
        read: HistoryArgs,
    },
    /// The integration messages of the order and whether they were delivered
    Messages {
        /// The order's id or the end of it
        id: String,
        #[command(flatten)]
        read: HistoryArgs,
    },
    /// What changed between two versions
    Diff {
        /// The order's id or the end of it
        id: String,
        /// The earlier version (0 is before the first event)
        a: i64,
        /// The later version
        b: i64,
        #[command(flatten)]
        read: HistoryArgs,
    },
    /// Place an order
    Create(CreateOrder),
    /// Complete a New order
    Complete(EndArgs),
    /// Cancel a New order, for a reason
    Cancel(EndArgs),
    /// Mark an order as deleted
    Delete(EndArgs),
    /// Take a deletion back
    Restore(EndArgs),
}

#[derive(Debug, Subcommand)]
pub enum Db {
    /// Start it and keep it running
    Start,
    /// Stop it
    Stop {
        /// Even while consoles use it
        #[arg(long)]
        force: bool,
    },
    /// Whether it runs, its version, size and place
    Status {
        #[command(flatten)]
        output: OutputArg,
    },
    /// Remove it with everything in it
    Reset {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Print its address for psql and other programs
    Url,
    /// Move it to the newest PostgreSQL found
    Upgrade {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        output: OutputArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum Demo {
    /// Fill an empty database of Orderscope's own with believable orders
    Load {
        /// How many orders (100 to 20000000)
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=20_000_000))]
        orders: u32,
        /// The same seed makes the same data
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Over how many years (1 to 20)
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=20))]
        years: u8,
        /// The day (UTC) before which the data ends (default: today)
        #[arg(long, value_name = "DATE")]
        until: Option<NaiveDate>,
        /// Replace the demo data that is there; refused where there is anything else
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Put a database with demo data into a kind of trouble, to practise on
    Scenario {
        /// Which trouble
        #[arg(value_enum)]
        name: ScenarioName,
        /// The broker for error-queue, without a password: `amqp://USER@HOST:PORT/VIRTUALHOST`
        #[arg(long, value_name = "URL")]
        amqp_url: Option<String>,
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Take the planted scenario out again, row by row and message by message
    Heal {
        /// The broker that error-queue was planted into, without a password
        #[arg(long, value_name = "URL")]
        amqp_url: Option<String>,
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        output: OutputArg,
    },
    /// List the trouble planted in the demo data and how to find it
    Troubles {
        #[command(flatten)]
        output: OutputArg,
    },
}

/// A kind of trouble to practise on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScenarioName {
    /// Nobody delivers any more, and messages pile up
    OutboxStall,
    /// The head of the line cannot be delivered
    Poison,
    /// The broker does not answer
    BrokerDown,
    /// Messages come a second time, many of them
    Duplicates,
    /// Consumers finished their work, but not their messages
    HalfDone,
    /// Faulty messages in an error queue (needs a broker)
    ErrorQueue,
}

/// How much of an order's history is read, and how the answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    pub output: OutputArg,
    /// Read at most this many of the order's newest events
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub events: i64,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArg {
    /// The form of the answer
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    Csv,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(arguments: &[&str]) -> (Vec<String>, Vec<String>, Output) {
        let all = ["orderscope", "orders", "search"].iter().chain(arguments);
        let cli = Cli::read(all.map(OsString::from)).unwrap();
        match cli.verb {
            Some(Verb::Orders(Orders::Search { query, without, output, .. })) => {
                (query, without, output.output)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hyphen_before_a_term_is_no_option() {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let json = Output::Json;
        assert_eq!(
            search(&["a", "-status:new", "-o", "json", "-has:note", "b"]),
            (words(&["a", "b"]), words(&["status:new", "has:note"]), json)
        );
        assert_eq!(search(&["-order:8c41", "-ojson"]), (vec![], words(&["order:8c41"]), json));
        assert_eq!(search(&["--not", "x", "-o=json"]), (vec![], words(&["x"]), json));
        let all = ["orderscope", "order", "show", "-status:new"].map(OsString::from);
        assert!(Cli::read(all).is_err());
    }
}
