//! Rows in the binary format of `COPY`, collected per table and handed on in pieces. Binary, because the
//! server takes it a third faster than text; the widths of numbers must be those of the columns.

use uuid::Uuid;

use crate::demo::moment::{DAY, Moment};

/// A piece is handed on when it has grown to this. Every `COPY` into a new table leaves some dozens of pages
/// behind that it had reserved, so pieces are not small.
const PIECE: usize = 8 << 20;
/// Signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A row of -1 columns ends a piece.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// PostgreSQL counts from 2000-01-01.
const EPOCH: i64 = 10_957 * DAY;

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
    /// In the binary format of `COPY`, complete.
    pub bytes: Vec<u8>,
}

/// Collects rows and passes full pieces to `sink`.
pub struct Tables<S> {
    pieces: Vec<Piece>,
    sink: S,
}

impl<S: FnMut(Piece)> Tables<S> {
    pub fn new(sink: S) -> Self {
        let pieces = Table::ALL.map(|table| Piece { table, rows: 0, bytes: HEADER.to_vec() });
        Self { pieces: pieces.into(), sink }
    }

    /// Writes a row; `write` gives every column of the table, in order.
    pub fn row(&mut self, table: Table, write: impl FnOnce(&mut Row<'_>)) {
        let piece = &mut self.pieces[table as usize];
        let start = piece.bytes.len();
        piece.bytes.extend([0, 0]);
        let mut row = Row { bytes: &mut piece.bytes, columns: 0 };
        write(&mut row);
        let columns = row.columns.to_be_bytes();
        piece.bytes[start..start + 2].copy_from_slice(&columns);
        piece.rows += 1;
        if piece.bytes.len() >= PIECE {
            let mut fresh = Vec::with_capacity(PIECE + PIECE / 16);
            fresh.extend(HEADER);
            let bytes = std::mem::replace(&mut piece.bytes, fresh);
            let rows = std::mem::take(&mut piece.rows);
            self.pass_on(Piece { table, rows, bytes });
        }
    }

    /// Passes on what is left.
    pub fn finish(mut self) {
        for piece in std::mem::take(&mut self.pieces) {
            if piece.rows > 0 {
                self.pass_on(piece);
            }
        }
    }

    fn pass_on(&mut self, mut piece: Piece) {
        piece.bytes.extend(TRAILER);
        (self.sink)(piece);
    }
}

/// A row being written, column by column.
pub struct Row<'a> {
    bytes: &'a mut Vec<u8>,
    columns: i16,
}

impl Row<'_> {
    pub fn null(&mut self) -> &mut Self {
        self.columns += 1;
        self.bytes.extend((-1_i32).to_be_bytes());
        self
    }

    /// A column of a text type.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.column(text.as_bytes())
    }

    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// A `jsonb`: the format's version, then the text.
    pub fn json(&mut self, text: &str) -> &mut Self {
        self.length(text.len() + 1);
        self.bytes.push(1);
        self.bytes.extend(text.as_bytes());
        self
    }

    /// A `smallint`.
    pub fn small(&mut self, number: i16) -> &mut Self {
        self.column(&number.to_be_bytes())
    }

    /// An `integer`.
    pub fn integer(&mut self, number: u64) -> &mut Self {
        self.column(&i32::try_from(number).unwrap_or(i32::MAX).to_be_bytes())
    }

    /// A `bigint`.
    pub fn big(&mut self, number: u64) -> &mut Self {
        self.column(&i64::try_from(number).unwrap_or(i64::MAX).to_be_bytes())
    }

    /// Hundredths, up to a million, as a `numeric` with two places: three digits to the base of 10,000.
    pub fn money(&mut self, cents: u64) -> &mut Self {
        let whole = cents / 100;
        let digits = [whole / 10_000, whole % 10_000, cents % 100 * 100];
        let digits = digits.map(|digit| u16::try_from(digit).unwrap_or_default());
        self.length(14);
        // Number of digits, weight of the first, sign, places.
        for part in [3, 1, 0, 2].into_iter().chain(digits) {
            self.bytes.extend(part.to_be_bytes());
        }
        self
    }

    pub fn flag(&mut self, set: bool) -> &mut Self {
        self.column(&[u8::from(set)])
    }

    pub fn id(&mut self, id: Uuid) -> &mut Self {
        self.column(id.as_bytes())
    }

    pub fn optional_id(&mut self, id: Option<Uuid>) -> &mut Self {
        match id {
            Some(id) => self.id(id),
            None => self.null(),
        }
    }

    pub fn at(&mut self, at: Option<Moment>) -> &mut Self {
        match at {
            Some(at) => self.column(&(at.0 - EPOCH).to_be_bytes()),
            None => self.null(),
        }
    }

    fn column(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len());
        self.bytes.extend(bytes);
        self
    }

    fn length(&mut self, length: usize) {
        self.columns += 1;
        self.bytes.extend(i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_columns_and_pieces_their_ends() {
        let mut pieces = Vec::new();
        let mut tables = Tables::new(|piece| pieces.push(piece));
        tables.row(Table::Progression, |row| {
            row.text("ab").big(7).at(Some(Moment(EPOCH + 1)));
        });
        tables.row(Table::Progression, |row| {
            row.null().money(123_456_789).flag(true);
        });
        tables.finish();
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].rows, 2);
        let mut expected = HEADER.to_vec();
        expected.extend([0, 3, 0, 0, 0, 2, b'a', b'b']);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend([0, 3, 255, 255, 255, 255]);
        // 1,234,567.89 is 123 4567 . 8900
        expected.extend([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 2, 0, 123, 0x11, 0xd7, 0x22, 0xc4]);
        expected.extend([0, 0, 0, 1, 1, 255, 255]);
        assert_eq!(pieces[0].bytes, expected);
    }

    #[test]
    fn large_tables_come_in_pieces() {
        let mut pieces = Vec::new();
        let mut tables = Tables::new(|piece: Piece| pieces.push((piece.rows, piece.bytes)));
        let text = "x".repeat(PIECE / 3);
        for _ in 0..7 {
            tables.row(Table::Buyers, |row| {
                row.text(&text);
            });
        }
        tables.finish();
        let rows: Vec<u64> = pieces.iter().map(|piece| piece.0).collect();
        assert_eq!(rows, [3, 3, 1]);
        for (_, bytes) in &pieces {
            assert!(bytes.starts_with(HEADER) && bytes.ends_with(&TRAILER));
        }
    }

    #[test]
    fn tables_are_in_the_order_of_their_numbers() {
        for (n, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, n);
        }
    }
}
