//! Arguments of the verbs that talk to the broker.

use clap::{Args, Subcommand};

use super::{OutputArg, RunArgs};

/// How the relay runs.
#[derive(Debug, Clone, Args)]
pub struct Relay {
    /// End after one pass
    #[arg(long, conflicts_with = "until_empty")]
    pub once: bool,
    /// End when nothing is pending but what cannot be delivered
    #[arg(long)]
    pub until_empty: bool,
    /// Deliver from a service's database too, beside the service's own delivery
    #[arg(long)]
    pub beside_service: bool,
    /// The broker, without a password: `amqp://USER@HOST:PORT/VIRTUALHOST`
    #[arg(long, value_name = "URL")]
    pub amqp_url: Option<String>,
    #[command(flatten)]
    pub output: OutputArg,
}

/// Told under `relay --help`.
pub const RELAY_HELP: &str = "\
Examples:
  orderscope relay                # until it is stopped
  orderscope relay --until-empty  # 5 when something is held; a server that is away is waited for
  orderscope relay --once         # one pass; 3 when a server cannot be reached";

/// How commands are consumed.
#[derive(Debug, Clone, Args)]
pub struct Consume {
    /// End when the queue is empty, or when a server is lost
    #[arg(long)]
    pub once: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// What would be typed, where --yes is not enough: 'CONSUME prod'
    #[arg(long, value_name = "TEXT")]
    pub confirm: Option<String>,
    /// The broker, without a password: `amqp://USER@HOST:PORT/VIRTUALHOST`
    #[arg(long, value_name = "URL")]
    pub amqp_url: Option<String>,
    #[command(flatten)]
    pub output: OutputArg,
}

/// Told under `consume --help`.
pub const CONSUME_HELP: &str = "\
Examples:
  orderscope consume --yes         # until it is stopped
  orderscope consume --yes --once  # 5 when something was refused, 3 when a server cannot be reached";

#[derive(Debug, Subcommand)]
pub enum Errors {
    /// Every message in the error queues, told apart by the inbox
    #[command(after_help = ERRORS_HELP)]
    List {
        #[command(flatten)]
        scope: ErrorScope,
        #[command(flatten)]
        output: OutputArg,
    },
    /// Messages that failed alike: by consumer, exception and message
    #[command(after_help = ERRORS_HELP)]
    Groups {
        #[command(flatten)]
        scope: ErrorScope,
        #[command(flatten)]
        output: OutputArg,
    },
    /// One message as JSON: fault, headers, envelope (personal data masked)
    Show {
        /// Its key as listed, or the beginning of it
        key: String,
        /// The whole stack trace
        #[arg(long)]
        stack: bool,
        #[command(flatten)]
        scope: ErrorScope,
    },
    /// Publish messages to the queue they came from
    #[command(after_help = ERRORS_HELP)]
    Replay {
        #[command(flatten)]
        pick: ErrorPick,
        /// Also messages, named one by one, whose handler may then run again
        #[arg(long, requires = "keys")]
        run_again: bool,
        #[command(flatten)]
        work: ErrorWork,
        #[command(flatten)]
        scope: ErrorScope,
    },
    /// Remove messages; a copy of each is kept first
    #[command(after_help = ERRORS_HELP)]
    Discard {
        #[command(flatten)]
        pick: ErrorPick,
        #[command(flatten)]
        work: ErrorWork,
        #[command(flatten)]
        scope: ErrorScope,
    },
    /// Put a discarded message back into the error queue that it was taken from
    Restore {
        /// The copy's number (`messages list --view kept`)
        #[arg(value_name = "COPY")]
        number: i64,
        #[command(flatten)]
        run: RunArgs,
        /// The broker, without a password: `amqp://USER@HOST:PORT/VIRTUALHOST`
        #[arg(long, value_name = "URL")]
        amqp_url: Option<String>,
        #[command(flatten)]
        output: OutputArg,
    },
}

/// Where to look.
#[derive(Debug, Clone, Args)]
pub struct ErrorScope {
    /// An error queue to look into, in place of the configured ones; may be given several times
    #[arg(long = "queue", value_name = "QUEUE")]
    pub queues: Vec<String>,
    /// Look at this many messages of each queue (1 to 10000)
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// The broker, without a password: `amqp://USER@HOST:PORT/VIRTUALHOST`
    #[arg(long, value_name = "URL")]
    pub amqp_url: Option<String>,
}

/// Which messages are meant.
#[derive(Debug, Clone, Args)]
pub struct ErrorPick {
    /// Keys as listed, or their beginnings
    #[arg(value_name = "KEY", conflicts_with_all = ["group", "all"])]
    pub keys: Vec<String>,
    /// Every message of the group whose fingerprint begins so, where that is safe
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "all")]
    pub group: Option<String>,
    /// Every message, where that is safe
    #[arg(long)]
    pub all: bool,
}

/// How it is done.
#[derive(Debug, Clone, Args)]
pub struct ErrorWork {
    #[command(flatten)]
    pub run: RunArgs,
    /// At most this many messages a second (1 to 1000); a replay does 20, discarding as many as it can
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub rate: Option<u16>,
    #[command(flatten)]
    pub output: OutputArg,
}

/// What is delivered now.
#[derive(Debug, Clone, Args)]
#[group(id = "drained", required = true, multiple = false, args = ["outbox", "consumer", "all"])]
pub struct Drain {
    /// One outbox
    #[arg(long, value_name = "ID")]
    pub outbox: Option<String>,
    /// The messages of one half-done consumer: the inbound message's id, a colon, the consumer's id
    #[arg(long, value_name = "MESSAGE:CONSUMER")]
    pub consumer: Option<String>,
    /// Every pending outbox, and half-done consumers that nothing else will finish
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub run: RunArgs,
    /// The broker, without a password: `amqp://USER@HOST:PORT/VIRTUALHOST`
    #[arg(long, value_name = "URL")]
    pub amqp_url: Option<String>,
    #[command(flatten)]
    pub output: OutputArg,
}

/// Told under the verbs of `errors`.
pub const ERRORS_HELP: &str = "\
Verdicts: done (its consumers have handled it, a replay is needless), waiting (a replay runs the handler for
the first time, or sends what it produced), unknown (it may have completed: a replay may run the handler
again), probable duplicate (it failed as the second of two deliveries does). In bulk, replay takes only what
waits and discard only what is done; the rest is left and told (exit code 5).";
