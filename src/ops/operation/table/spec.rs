//! What a row of the table of operations says: everything about an operation that is the same each time.

use super::Kind;

/// An operation, as policy, menu, forms, command line, audit and documentation know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub kind: Kind,
    /// As audit records and policies name it.
    pub name: &'static str,
    /// What it does, for the documentation.
    pub title: &'static str,
    /// Typed to run it.
    pub word: &'static str,
    pub risk: Risk,
    pub target: Target,
    pub steps: StepKind,
    /// About one thing, or about everything that fits.
    pub bulk: bool,
    /// What becomes of it when the console is left while it runs.
    pub leaving: Leaving,
    /// The command line: `order cancel`.
    pub verb: &'static str,
    /// How it is taken back, in a sentence.
    pub undo: &'static str,
    /// What has to be known beside the target.
    pub fields: &'static [Field],
    /// What the login needs, beside reading and beside the audit log. Empty: nothing more, or the ownership of the
    /// schema, or what the operation that is resumed needs.
    pub rights: &'static [super::Right],
    pub reason: Reason,
    /// Its lines in the console's menus; none where only a verb offers it.
    pub menu: &'static [Entry],
}

/// What an operation risks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// It changes something and can be taken back or made good.
    Change,
    /// It removes or sends something, for good.
    Destroy,
}

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Order,
    Buyer,
    Outbox,
    OutboxMessage,
    ArchivedMessage,
    InboxRows,
    ErrorQueues,
    Operation,
    Database,
    DemoData,
    PrivateServer,
}

/// How an operation runs, and what that promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Everything and its audit record in one transaction: all of it or nothing, tried again only where nothing was
    /// written, never done twice under one id.
    OneTransaction,
    /// One message after the other with the broker: each at least once, never lost, perhaps twice; one audit record
    /// before the first and one after the last. Never tried again by itself.
    BrokerMessages,
    /// A list of ids, frozen when it starts, done batch by batch: each batch one transaction with its journal row and
    /// the outcome of every item. Killed at any point it goes on where it stopped, every item exactly once.
    Batches,
}

/// What becomes of a running operation when the console is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It ends within moments, and is waited for.
    Finishes,
    /// It ends after the message or the pass under way, and records how far it came.
    Stops,
    /// It pauses after the batch under way; any console can go on with it.
    Pauses,
}

/// Whether a reason is asked for in a form. Verbs want one unless it is not asked for at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// For the audit record; may be empty.
    Optional,
    /// Practice: what it is for is known. It goes on record where one is given.
    NotAsked,
    /// Nothing runs without one.
    Needed,
    /// Nothing runs without one, and it becomes part of the order's history.
    InHistory,
}

/// A field of an operation's form, and the option of its verb that says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub input: Input,
    /// None where the verb needs no option for it.
    pub option: Option<&'static str>,
    /// What stands in it at first; as in the verb.
    pub filled: &'static str,
}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Line,
    /// Found by typing a part of it.
    Search,
    /// Rows of cells: names and widths of the columns.
    Grid(&'static [(&'static str, u16)]),
    /// Nothing is typed: the form tells it.
    Told,
}

/// A line of a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub key: char,
    pub title: &'static str,
    /// The list it belongs to.
    pub list: List,
    pub choice: Choice,
    /// The frame of its form; `{}` is what it is about.
    pub heading: &'static str,
    /// What is said above the fields.
    pub words: &'static str,
    /// The same while personal data is masked, where that differs.
    pub masked: Option<&'static str>,
}

/// Which list of the console is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum List {
    Orders,
    #[default]
    Outboxes,
    Inbox,
    Errors,
    Archive,
    /// Bulk operations.
    Operations,
}

/// Which of several ways to do an operation a line of the menu means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// What the cursor is on, or what needs no target.
    This,
    /// What is marked.
    Marked,
    /// What is safe in the group that the cursor is on.
    Group,
    /// Everything that is safe.
    All,
    /// What a half-done consumer produced.
    Consumer,
    /// Under another id.
    NewId,
}

impl Entry {
    /// A line about what the cursor is on.
    pub(super) const fn new(
        list: List,
        key: char,
        title: &'static str,
        heading: &'static str,
        words: &'static str,
    ) -> Self {
        Self { key, title, list, choice: Choice::This, heading, words, masked: None }
    }

    /// The same about something else.
    pub(super) const fn of(self, choice: Choice) -> Self {
        Self { choice, ..self }
    }

    /// The same with other words while personal data is masked.
    pub(super) const fn masked(self, words: &'static str) -> Self {
        Self { masked: Some(words), ..self }
    }
}

impl Field {
    /// A line that is typed.
    pub(super) const fn line(
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        option: &'static str,
    ) -> Self {
        Self { name, label, hint, input: Input::Line, option: Some(option), filled: "" }
    }

    /// The same with something in it at first.
    pub(super) const fn filled(self, filled: &'static str) -> Self {
        Self { filled, ..self }
    }
}

impl Risk {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Destroy => "destroy",
        }
    }
}

impl Target {
    /// In a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Buyer => "buyer",
            Self::Outbox => "outbox",
            Self::OutboxMessage => "outbox message",
            Self::ArchivedMessage => "archived message",
            Self::InboxRows => "inbox rows",
            Self::ErrorQueues => "error queue messages",
            Self::Operation => "bulk operation",
            Self::Database => "database",
            Self::DemoData => "demo data",
            Self::PrivateServer => "private server",
        }
    }
}

impl StepKind {
    /// What a plan of it lists.
    #[must_use]
    pub const fn listed(self) -> &'static str {
        match self {
            Self::OneTransaction => "statements",
            Self::Batches => "statements for the first items",
            Self::BrokerMessages => "messages",
        }
    }

    /// What is promised, in a few words.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::OneTransaction => "one transaction",
            Self::BrokerMessages => "broker messages, at least once",
            Self::Batches => "batches over a frozen list, each item once",
        }
    }
}
