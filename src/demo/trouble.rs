//! The kinds of planted trouble that sit on one order.

/// A kind of trouble on one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    SourcesDisagree,
    CancelledAfterCompletion,
    ForeignStreams,
    UnknownEvent,
    UnreadableTotal,
    UnreadableItems,
    LongStream,
    Deleted,
    HostileNote,
    CamelCase,
    FrozenTimestamp,
    LetterElsewhere,
    HalfDelivered,
    StalledHead,
    NoDestination,
}

impl Kind {
    /// The kinds planted on finished orders, newest first.
    pub const SCATTERED: [Self; 13] = [
        Self::HalfDelivered,
        Self::SourcesDisagree,
        Self::CancelledAfterCompletion,
        Self::ForeignStreams,
        Self::UnknownEvent,
        Self::UnreadableTotal,
        Self::UnreadableItems,
        Self::Deleted,
        Self::HostileNote,
        Self::CamelCase,
        Self::FrozenTimestamp,
        Self::LetterElsewhere,
        Self::LongStream,
    ];

    /// A short stable name and what is wrong, in a sentence.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::SourcesDisagree => (
                "sources-disagree",
                "the events say completed, the row says cancelled, the summary says new with another total",
            ),
            Self::CancelledAfterCompletion => (
                "cancelled-after-completion",
                "a cancelling event follows the completing one, which no rule allows",
            ),
            Self::ForeignStreams => (
                "foreign-streams",
                "every event has a stream of its own, as the .NET service writes it: only the bodies name the order",
            ),
            Self::UnknownEvent => (
                "unknown-event",
                "an event of a type that this program does not know stands between placing and completing",
            ),
            Self::UnreadableTotal => (
                "unreadable-total",
                "the completing event has its total as text with a comma: skipped, two dead letters, the summary stays new",
            ),
            Self::UnreadableItems => (
                "unreadable-items",
                "the placing event has a text instead of its lines: a dead letter without a time, with a full exception name",
            ),
            Self::LongStream => (
                "long-stream",
                "500 versions, 498 of them of types the fold does not know, and a snapshot at version 480",
            ),
            Self::Deleted => {
                ("deleted", "completed, then deleted: only the row shows it, there is no event")
            }
            Self::HostileNote => (
                "hostile-note",
                "escape sequences, direction overrides, invisible characters, line breaks and a formula in the note",
            ),
            Self::CamelCase => {
                ("camel-case", "event bodies in camelCase, from a service configured so")
            }
            Self::FrozenTimestamp => (
                "frozen-timestamp",
                "the completing event has the column's frozen default instead of its time",
            ),
            Self::LetterElsewhere => (
                "letter-elsewhere",
                "healthy, but another projection could not process its completing event",
            ),
            Self::HalfDelivered => (
                "half-delivered",
                "the command that completed it was consumed, but the message it caused was never sent",
            ),
            Self::StalledHead => (
                "stalled-head",
                "its message has an address that cannot be parsed: it is retried again and again, and all newer messages wait",
            ),
            Self::NoDestination => (
                "no-destination",
                "its pending message has no destination: the delivery service would skip it and then delete it",
            ),
        }
    }
}

/// A note of 500 characters, the most that the column allows, with every hostile kind of text.
pub fn hostile_note() -> String {
    let mut note = String::from(
        "=HYPERLINK(\"http://example.invalid\",\"refund\")\n\u{1b}[2J\u{1b}[31mSYSTEM OK\u{1b}[0m\
         \u{1b}]0;owned\u{7}\u{1b}]52;c;cm0gLXJm\u{7}\r\n\u{202e}dellecnac\u{202c} \u{200b}\u{200d}\u{feff}\
         tab\there \\ back\\slash \"quoted\" \u{9b}31m \u{85} e\u{301}\u{301}\u{301}\u{301} \
         👩‍👩‍👧‍👦 ﷽ ",
    );
    let left = 500 - note.chars().count();
    note.extend(std::iter::repeat_n('W', left));
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hostile_note_fits() {
        assert_eq!(hostile_note().chars().count(), 500);
        assert!(!hostile_note().contains('\0'));
    }
}
