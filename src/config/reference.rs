//! Everything that can be configured. The documentation is generated from these tables, and tests compare them
//! with what the program really reads.

/// One key of `config.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHelp {
    /// Its name, with the name of its table: `contexts.NAME.url`.
    pub name: &'static str,
    /// The value if it is not set.
    pub default: &'static str,
    pub help: &'static str,
    /// A file with nothing else in it is valid.
    pub example: &'static str,
}

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableHelp {
    pub name: &'static str,
    pub help: &'static str,
}

/// Every key of `config.toml`.
pub const KEYS: &[KeyHelp] = &[
    key(
        "default",
        "the private database",
        "The context to open if nothing else names a database",
        "default = \"prod\"",
    ),
    key(
        "theme",
        "ansi",
        "Colours: ansi (the terminal's own sixteen), dusk (for dark terminals), paper (for light \
         ones) or mono (none)",
        "theme = \"dusk\"",
    ),
    key(
        "zone",
        "UTC",
        "The zone for showing times and for reading dates and clock times: UTC, \
         local, an offset or a name",
        "zone = \"Asia/Tokyo\"",
    ),
    key(
        "mouse",
        "true",
        "Whether the console uses the mouse; if not, the terminal selects text itself",
        "mouse = false",
    ),
    key("interval", "5", "Seconds between refreshes, 1 to 3600", "interval = 10"),
    key(
        "statement_timeout",
        "2",
        "The statement timeout in seconds, 1 to 600. Leave it at 2 on a database that a \
         service uses: a longer statement can delay its projections",
        "statement_timeout = 5",
    ),
    key(
        "messages.backlog_alert",
        "1000",
        "Alert above this number of messages not recorded as delivered: `orderscope messages status` then exits \
         with code 1",
        "[messages]\nbacklog_alert = 5000",
    ),
    key(
        "messages.stalled_after",
        "900",
        "Seconds after which delivery counts as stalled if the oldest outbox does not move",
        "[messages]\nstalled_after = 300",
    ),
    key(
        "messages.held_after",
        "60",
        "Seconds after which a pending outbox is diagnosed, and an inbox row that was not \
         handled counts as failing",
        "[messages]\nheld_after = 120",
    ),
    key(
        "messages.duplicate_window",
        "1800",
        "The service's DuplicateDetectionWindow in seconds: how long it keeps delivered inbox rows",
        "[messages]\nduplicate_window = 300",
    ),
    key(
        "messages.largest",
        "16777216",
        "The largest message that the broker accepts, in bytes",
        "[messages]\nlargest = 134217728",
    ),
    key(
        "messages.duplicates_alert",
        "10",
        "Alert if at least this many percent of the last hour's deliveries are duplicates, and at least ten",
        "[messages]\nduplicates_alert = 25",
    ),
    key(
        "messages.sample_every",
        "20",
        "Seconds between samples of outbox and inbox, from which rates and trends are computed, 5 to 300",
        "[messages]\nsample_every = 60",
    ),
    key(
        "messages.copies_days",
        "forever",
        "Days to keep copies, in schema orderscope, of messages that operators removed from outboxes and error queues \
         or repaired. Copies contain personal data and may be all that is left of a message; after these days they are \
         removed even if a quarantined message was never put back. An open console removes them",
        "[messages]\ncopies_days = 90",
    ),
    key(
        "messages.consumers",
        "none; those of the demo data for the private database",
        "Names for consumer ids, each as HANDLER:MESSAGE:QUEUE with the full type names of the service. Name all \
         consumers of a message type on a queue: only they decide whether a message in its error queue is done",
        "[messages]\nconsumers = [\"Shop.CompleteHandler:Shop.Contracts.CompleteCommand:complete\"]",
    ),
    key(
        "keys.ACTION",
        "see keys.md",
        "The keys of an action, in place of its defaults; a key with two meanings is refused at start",
        "[keys]\n\"timeline.diff\" = [\"d\", \"ctrl-x\"]",
    ),
    key(
        "errors.queues",
        "those of the queues in messages.consumers, and what errors.management names",
        "The broker's error queues to read",
        "[errors]\nqueues = [\"place-order_error\", \"place-order_skipped\"]",
    ),
    key(
        "errors.management",
        "not used",
        "The broker's management interface, which lists all error queues. It gets the broker's user and \
         password, unencrypted: use it only inside a trusted network",
        "[errors]\nmanagement = \"http://mq.example:15672\"",
    ),
    key(
        "relay.broker",
        "none: nothing is delivered",
        "The RabbitMQ broker that the relay delivers to; the password comes from ORDERSCOPE_AMQP_PASSWORD",
        "[relay]\nbroker = \"amqp://relay@mq.example/shop\"",
    ),
    key(
        "relay.keep_days",
        "7",
        "Days to keep delivered messages in a managed database. In an attached one the rows are removed at once; \
         if this is set, copies stay in schema orderscope for this long",
        "[relay]\nkeep_days = 3",
    ),
    key(
        "relay.outboxes",
        "500",
        "Outboxes per transaction of the relay",
        "[relay]\noutboxes = 100",
    ),
    key(
        "relay.messages",
        "1000",
        "Messages per transaction of the relay",
        "[relay]\nmessages = 500",
    ),
    key(
        "relay.megabytes",
        "8",
        "Megabytes of message bodies per transaction of the relay",
        "[relay]\nmegabytes = 4",
    ),
    key(
        "relay.unconfirmed",
        "100",
        "Messages that the relay has sent, or is about to send, without the broker's confirm: at most so many may arrive twice if the \
         relay is killed. More of them help where the broker is far away",
        "[relay]\nunconfirmed = 500",
    ),
    key(
        "relay.hold_returned",
        "false",
        "Keep an outbox pending if no queue is bound for its message; otherwise the message counts as delivered, as with MassTransit",
        "[relay]\nhold_returned = true",
    ),
    key(
        "commands.queue",
        "none: no commands are consumed",
        "The queue from which `orderscope consume` takes commands; it is created if missing",
        "[commands]\nqueue = \"orderscope-commands\"",
    ),
    key(
        "commands.complete",
        "urn:message:Orderscope.Contracts:CompleteOrder",
        "The message type that completes an order",
        "[commands]\ncomplete = \"urn:message:Shop.Contracts:CompleteOrder\"",
    ),
    key(
        "commands.cancel",
        "urn:message:Orderscope.Contracts:CancelOrder",
        "The message type that cancels an order",
        "[commands]\ncancel = \"urn:message:Shop.Contracts:CancelOrder\"",
    ),
    key(
        "commands.attempts",
        "9",
        "Attempts for a command's message that fails for a reason that may pass (a locked row, concurrent work), with \
         growing waits, before it is moved to the error queue. An unreachable database or broker does not count as \
         an attempt",
        "[commands]\nattempts = 3",
    ),
    key(
        "contexts.NAME.url",
        "the PG* variables",
        "Where a named database is, as a URL or a string of key=value; the password comes from PGPASSWORD or a pass file",
        "[contexts.prod]\nurl = \"postgres://support@db.example/ordering?sslmode=verify-full\"",
    ),
    key(
        "contexts.NAME.direct",
        "none",
        "The same database without a pooler such as PgBouncer: commands, migrations and cancelling statements need it",
        "[contexts.prod]\ndirect = \"postgres://support@db.example/ordering?sslmode=verify-full\"",
    ),
    key(
        "contexts.NAME.pgbouncer",
        "detected",
        "Whether the address is a pooler in transaction mode, so that every read is one transaction",
        "[contexts.prod]\npgbouncer = true",
    ),
    key(
        "contexts.NAME.production",
        "false",
        "Whether this is production; the header then says so",
        "[contexts.prod]\nproduction = true",
    ),
    key(
        "contexts.NAME.read_only",
        "false",
        "Whether nothing may be written there, by anyone; it cannot be unlocked (--read-only does the same \
         for one run)",
        "[contexts.prod]\nread_only = true",
    ),
    key(
        "contexts.NAME.unlock",
        "600",
        "Seconds that the console stays unlocked, 1 to 28800",
        "[contexts.prod]\nunlock = 300",
    ),
    key(
        "contexts.NAME.typed_confirmation",
        "true in production",
        "Whether the context's name must be typed to run a command; a script passes it with --confirm, \
         --yes alone is refused",
        "[contexts.prod]\ntyped_confirmation = true",
    ),
    key(
        "contexts.NAME.allow",
        "what the database grants",
        "Which commands the members of which database roles may run, \"*\" for all commands; members of none \
         of these roles may run none",
        "[contexts.prod]\nallow = { support = [\"CancelOrder\"], lead = [\"*\"] }",
    ),
    key(
        "contexts.NAME.schemas",
        "looked for in every schema",
        "The schemas of the service's tables: orders (orders, order_items, buyers), events (Marten's), messages \
         (outbox and inbox); needed only where several schemas have tables of these names",
        "[contexts.prod]\nschemas = { orders = \"ordering\", events = \"events\", messages = \"messaging\" }",
    ),
    key(
        "contexts.NAME.tenant",
        "all tenants are looked at",
        "The tenant of the event store (tenant_id of mt_events): events of others are not read, and events are written \
         for it; needed to write new orders into a store of several tenants, and for orders whose id is in several",
        "[contexts.prod]\ntenant = \"shop-a\"",
    ),
    key(
        "contexts.NAME.approve_above",
        "no second person is needed",
        "A bulk operation of more items than this waits until a second person approves it, with another database \
         login: `orderscope op approve`",
        "[contexts.prod]\napprove_above = 10000",
    ),
];

/// Every environment variable that is read besides those of libpq, which are in [`PARAMETERS`](super::PARAMETERS).
pub const ENVIRONMENT: &[VariableHelp] = &[
    variable(
        "DATABASE_URL",
        "The database: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or a string of key=value",
    ),
    variable("SSL_CERT_FILE", "Authorities to trust in place of the system's"),
    variable("SSL_CERT_DIR", "A directory of such authorities"),
    variable("HOME", "Where ~/.pgpass, ~/.pg_service.conf and ~/.postgresql are"),
    variable(
        "ORDERSCOPE_AMQP_URL",
        "The relay's broker: amqp://USER:PASSWORD@HOST:PORT/VIRTUALHOST",
    ),
    variable("ORDERSCOPE_AMQP_PASSWORD", "The password for the broker, where its URL has none"),
    variable("ORDERSCOPE_DATA_DIR", "Where the private database lives"),
    variable("ORDERSCOPE_CACHE_DIR", "Where fetched PostgreSQL programs are kept"),
    variable("ORDERSCOPE_PG_BIN", "The PostgreSQL programs that run the private database"),
    variable("NO_COLOR", "Set to anything: no colours, whatever other settings say"),
    variable(
        "TZ",
        "The zone that `local` means: a name such as Europe/Berlin, a path into a zone database, or JST-9",
    ),
    variable("TERM", "`dumb` means no colours"),
    variable("TMUX", "If set, copied text is wrapped so that tmux passes it to the terminal"),
    variable("SSH_CONNECTION", "If set, at most 30 frames a second instead of 60"),
    variable("SSH_TTY", "The same as SSH_CONNECTION"),
    variable("PATH", "Where to look for npm and an installed PostgreSQL"),
    variable("RUST_LOG", "The level of the log file of --log; `info` by default"),
];

const fn key(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    example: &'static str,
) -> KeyHelp {
    KeyHelp { name, default, help, example }
}

const fn variable(name: &'static str, help: &'static str) -> VariableHelp {
    VariableHelp { name, help }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::File;

    #[test]
    fn every_example_is_a_valid_file() {
        for key in KEYS {
            let read = toml::from_str::<File>(key.example);
            assert!(read.is_ok_and(|file| file != File::default()), "{}", key.name);
        }
    }

    #[test]
    fn every_key_that_is_read_is_documented() {
        // An unknown key is refused with a list of the known ones, which serde takes from the struct.
        let known = |toml: &str| -> BTreeSet<String> {
            let error = toml::from_str::<File>(toml).unwrap_err().message().to_owned();
            let (_, list) = error.split_once("expected").unwrap();
            list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let documented = |inside: &str| -> BTreeSet<String> {
            let names = KEYS.iter().filter_map(|key| key.name.strip_prefix(inside));
            names.map(|name| name.split('.').next().unwrap_or(name).to_owned()).collect()
        };
        assert_eq!(known("nothing = 1"), documented(""));
        assert_eq!(known("[contexts.a]\nnothing = 1"), documented("contexts.NAME."));
        assert_eq!(known("[messages]\nnothing = 1"), documented("messages."));
        assert_eq!(known("[relay]\nnothing = 1"), documented("relay."));
        assert_eq!(known("[errors]\nnothing = 1"), documented("errors."));
        assert_eq!(known("[commands]\nnothing = 1"), documented("commands."));
    }
}
