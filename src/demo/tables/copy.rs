//! Rows in the binary format of `COPY`, collected per table and sent in chunks. Binary, because the
//! server loads it a third faster than text; the widths of numbers must be those of the columns.

use uuid::Uuid;

use crate::demo::moment::{DAY, Moment};

/// A chunk is sent when it has reached this size. Every `COPY` into a new table leaves some dozens of reserved
/// pages behind, so chunks are not small.
const CHUNK_SIZE: usize = 8 << 20;
/// Signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A row of -1 columns ends a chunk.
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
    DeadLetters,
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
        Self::DeadLetters,
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
            Self::DeadLetters => {
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
pub struct Chunk {
    pub table: Table,
    pub rows: u64,
    /// In the binary format of `COPY`, complete.
    pub bytes: Vec<u8>,
}

/// Collects rows and passes full chunks to `sink`.
pub struct TableWriter<S> {
    chunks: Vec<Chunk>,
    sink: S,
}

impl<S: FnMut(Chunk)> TableWriter<S> {
    pub fn new(sink: S) -> Self {
        let chunks = Table::ALL.map(|table| Chunk { table, rows: 0, bytes: HEADER.to_vec() });
        Self { chunks: chunks.into(), sink }
    }

    /// Writes a row; `write` writes every column of the table, in order.
    pub fn row(&mut self, table: Table, write: impl FnOnce(&mut Row<'_>)) {
        let chunk = &mut self.chunks[table as usize];
        let start = chunk.bytes.len();
        chunk.bytes.extend([0, 0]);
        let mut row = Row { bytes: &mut chunk.bytes, columns: 0 };
        write(&mut row);
        let columns = row.columns.to_be_bytes();
        chunk.bytes[start..start + 2].copy_from_slice(&columns);
        chunk.rows += 1;
        if chunk.bytes.len() >= CHUNK_SIZE {
            let mut fresh = Vec::with_capacity(CHUNK_SIZE + CHUNK_SIZE / 16);
            fresh.extend(HEADER);
            let bytes = std::mem::replace(&mut chunk.bytes, fresh);
            let rows = std::mem::take(&mut chunk.rows);
            self.emit(Chunk { table, rows, bytes });
        }
    }

    /// Sends the incomplete chunks.
    pub fn finish(mut self) {
        for chunk in std::mem::take(&mut self.chunks) {
            if chunk.rows > 0 {
                self.emit(chunk);
            }
        }
    }

    fn emit(&mut self, mut chunk: Chunk) {
        chunk.bytes.extend(TRAILER);
        (self.sink)(chunk);
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

    /// A `jsonb`: the version of the format, then the text.
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

    /// Hundredths as a `numeric` with two decimal places: three digits in base 10,000.
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
        let mut chunks = Vec::new();
        let mut tables = TableWriter::new(|chunk| chunks.push(chunk));
        tables.row(Table::Progression, |row| {
            row.text("ab").big(7).at(Some(Moment(EPOCH + 1)));
        });
        tables.row(Table::Progression, |row| {
            row.null().money(123_456_789).flag(true);
        });
        tables.finish();
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0].rows, 2);
        let mut expected = HEADER.to_vec();
        expected.extend([0, 3, 0, 0, 0, 2, b'a', b'b']);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend([0, 3, 255, 255, 255, 255]);
        // 1,234,567.89 is 123 4567 . 8900
        expected.extend([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 2, 0, 123, 0x11, 0xd7, 0x22, 0xc4]);
        expected.extend([0, 0, 0, 1, 1, 255, 255]);
        assert_eq!(chunks[0].bytes, expected);
    }

    #[test]
    fn large_tables_come_in_pieces() {
        let mut chunks = Vec::new();
        let mut tables = TableWriter::new(|chunk: Chunk| chunks.push((chunk.rows, chunk.bytes)));
        let text = "x".repeat(CHUNK_SIZE / 3);
        for _ in 0..7 {
            tables.row(Table::Buyers, |row| {
                row.text(&text);
            });
        }
        tables.finish();
        let rows: Vec<u64> = chunks.iter().map(|chunk| chunk.0).collect();
        assert_eq!(rows, [3, 3, 1]);
        for (_, bytes) in &chunks {
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
