//! Rows in the text format of `COPY`, collected per table and handed on in pieces.

use std::fmt::Write;

use uuid::Uuid;

use crate::demo::moment::Moment;

/// A piece is handed on when it has grown to this.
const PIECE: usize = 1 << 20;

/// The tables that the demo data fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Buyers,
    Orders,
    Lines,
    Streams,
    Events,
    Summaries,
    Letters,
    Progression,
    OutboxStates,
    OutboxMessages,
    InboxStates,
}

impl Table {
    pub const ALL: [Self; 11] = [
        Self::Buyers,
        Self::Orders,
        Self::Lines,
        Self::Streams,
        Self::Events,
        Self::Summaries,
        Self::Letters,
        Self::Progression,
        Self::OutboxStates,
        Self::OutboxMessages,
        Self::InboxStates,
    ];

    /// Name and columns, in the order in which the rows are written.
    pub const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Buyers => ("buyers", "id, name, address_street, address_city, address_province"),
            Self::Orders => {
                ("orders", "id, status, note, buyer_id, is_deleted, created_at, last_modified_at")
            }
            Self::Lines => ("order_items", "id, quantity, price, book_id, order_id"),
            Self::Streams => {
                ("mt_streams", "id, type, version, timestamp, snapshot, snapshot_version, created")
            }
            Self::Events => (
                "mt_events",
                "seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, \
                 correlation_id, causation_id, headers",
            ),
            Self::Summaries => (
                "mt_doc_ordersummaryview",
                "id, data, mt_last_modified, mt_dotnet_type, mt_version",
            ),
            Self::Letters => {
                ("mt_doc_deadletterevent", "id, data, mt_last_modified, mt_version, mt_dotnet_type")
            }
            Self::Progression => ("mt_event_progression", "name, last_seq_id, last_updated"),
            Self::OutboxStates => {
                ("outbox_state", "outbox_id, lock_id, created, delivered, last_sequence_number")
            }
            Self::OutboxMessages => (
                "outbox_message",
                "sequence_number, sent_time, headers, properties, inbox_message_id, \
                 inbox_consumer_id, outbox_id, message_id, content_type, message_type, body, \
                 conversation_id, source_address, destination_address",
            ),
            Self::InboxStates => (
                "inbox_state",
                "id, message_id, consumer_id, lock_id, received, receive_count, consumed, \
                 delivered, last_sequence_number",
            ),
        }
    }
}

/// Some rows of a table.
#[derive(Debug)]
pub struct Piece {
    pub table: Table,
    pub rows: u64,
    /// In the text format of `COPY`.
    pub text: String,
}

/// Collects rows and passes full pieces to `sink`.
pub struct Tables<S> {
    pieces: Vec<Piece>,
    sink: S,
}

impl<S: FnMut(Piece)> Tables<S> {
    pub fn new(sink: S) -> Self {
        let pieces = Table::ALL.map(|table| Piece { table, rows: 0, text: String::new() });
        Self { pieces: pieces.into(), sink }
    }

    /// Writes a row; `write` gives every column of the table, in order.
    pub fn row(&mut self, table: Table, write: impl FnOnce(&mut Row<'_>)) {
        let piece = &mut self.pieces[table as usize];
        write(&mut Row(&mut piece.text));
        // Every column ends with a tab; the last one's becomes the end of the row.
        piece.text.pop();
        piece.text.push('\n');
        piece.rows += 1;
        if piece.text.len() >= PIECE {
            let full = Piece { table, rows: piece.rows, text: std::mem::take(&mut piece.text) };
            piece.rows = 0;
            (self.sink)(full);
        }
    }

    /// Passes on what is left.
    pub fn finish(mut self) {
        for piece in std::mem::take(&mut self.pieces) {
            if piece.rows > 0 {
                (self.sink)(piece);
            }
        }
    }
}

/// A row being written, column by column.
pub struct Row<'a>(&'a mut String);

impl Row<'_> {
    pub fn null(&mut self) -> &mut Self {
        self.0.push_str("\\N\t");
        self
    }

    /// Text without tabs, line ends or backslashes: what this program made.
    pub fn plain(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text);
        self.0.push('\t');
        self
    }

    /// Any text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        // All four are single bytes in UTF-8, so looking at bytes is enough, and fast.
        while let Some(at) =
            rest.bytes().position(|byte| matches!(byte, b'\\' | b'\n' | b'\t' | b'\r'))
        {
            self.0.push_str(&rest[..at]);
            self.0.push_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\t' => "\\t",
                _ => "\\r",
            });
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        self.0.push('\t');
        self
    }

    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    pub fn number(&mut self, number: u64) -> &mut Self {
        push_number(self.0, number);
        self.0.push('\t');
        self
    }

    /// Hundredths as a decimal with two places.
    pub fn money(&mut self, cents: u64) -> &mut Self {
        push_money(self.0, cents);
        self.0.push('\t');
        self
    }

    pub fn flag(&mut self, set: bool) -> &mut Self {
        self.plain(if set { "t" } else { "f" })
    }

    pub fn id(&mut self, id: Uuid) -> &mut Self {
        push_id(self.0, id);
        self.0.push('\t');
        self
    }

    pub fn at(&mut self, at: Option<Moment>) -> &mut Self {
        let Some(at) = at else { return self.null() };
        at.push_sql(self.0);
        self.0.push('\t');
        self
    }
}

/// `12.50`
pub fn push_money(out: &mut String, cents: u64) {
    push_number(out, cents / 100);
    out.push('.');
    crate::demo::moment::push_padded(out, i64::try_from(cents % 100).unwrap_or_default(), 2);
}

/// The id in lower case with dashes.
pub fn push_id(out: &mut String, id: Uuid) {
    out.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
}

/// The number in decimal.
pub fn push_number(out: &mut String, number: u64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_escaped_and_rows_end() {
        let mut pieces = Vec::new();
        let mut tables = Tables::new(|piece| pieces.push(piece));
        tables.row(Table::Progression, |row| {
            row.text("a\tb\\c\r\n").number(7).at(Some(Moment(0)));
        });
        tables.row(Table::Progression, |row| {
            row.null().money(1205).flag(true);
        });
        tables.finish();
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].rows, 2);
        assert_eq!(
            pieces[0].text,
            "a\\tb\\\\c\\r\\n\t7\t1970-01-01 00:00:00.000000+00\n\\N\t12.05\tt\n"
        );
    }

    #[test]
    fn tables_are_in_the_order_of_their_numbers() {
        for (n, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, n);
        }
    }
}
