//! The service's tables and columns under the names of the source document, whatever the database
//! calls them: EF Core writes `order_items.book_id` or `"OrderItems"."BookId"`.

/// A table of the service, by the document's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Orders,
    OrderItems,
    Buyers,
    Events,
    Streams,
    Summaries,
    Letters,
    Progression,
    OutboxMessages,
    OutboxStates,
    InboxStates,
}

/// A column by the document's name, and its type for the case that it is not there.
pub(super) struct Column {
    pub name: &'static str,
    pub kind: &'static str,
    /// Nothing sensible can be shown without it.
    pub needed: bool,
}

const fn needs(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind, needed: true }
}

/// Reads as null where it is missing.
const fn may_lack(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind, needed: false }
}

impl Table {
    /// All tables that are read.
    pub const ALL: [Self; 11] = [
        Self::Orders,
        Self::OrderItems,
        Self::Buyers,
        Self::Events,
        Self::Streams,
        Self::Summaries,
        Self::Letters,
        Self::Progression,
        Self::OutboxMessages,
        Self::OutboxStates,
        Self::InboxStates,
    ];

    /// The document's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::OrderItems => "order_items",
            Self::Buyers => "buyers",
            Self::Events => "mt_events",
            Self::Streams => "mt_streams",
            Self::Summaries => "mt_doc_ordersummaryview",
            Self::Letters => "mt_doc_deadletterevent",
            Self::Progression => "mt_event_progression",
            Self::OutboxMessages => "outbox_message",
            Self::OutboxStates => "outbox_state",
            Self::InboxStates => "inbox_state",
        }
    }

    /// The columns that Orderscope reads, all of them and no others.
    pub(super) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Orders => {
                const {
                    &[
                        needs("id", "uuid"),
                        needs("status", "smallint"),
                        needs("note", "text"),
                        needs("buyer_id", "uuid"),
                        needs("is_deleted", "boolean"),
                        needs("created_at", "timestamptz"),
                        needs("last_modified_at", "timestamptz"),
                    ]
                }
            }
            Self::OrderItems => {
                const {
                    &[
                        needs("id", "uuid"),
                        needs("quantity", "integer"),
                        needs("price", "numeric"),
                        needs("book_id", "uuid"),
                        needs("order_id", "uuid"),
                    ]
                }
            }
            Self::Buyers => {
                const {
                    &[
                        needs("id", "uuid"),
                        needs("name", "text"),
                        may_lack("address_street", "text"),
                        may_lack("address_city", "text"),
                        may_lack("address_province", "text"),
                    ]
                }
            }
            Self::Events => {
                const {
                    &[
                        needs("seq_id", "bigint"),
                        needs("id", "uuid"),
                        needs("stream_id", "uuid"),
                        needs("version", "bigint"),
                        needs("data", "jsonb"),
                        may_lack("bdata", "bytea"),
                        needs("type", "text"),
                        needs("timestamp", "timestamptz"),
                        may_lack("mt_dotnet_type", "text"),
                        may_lack("tenant_id", "text"),
                        may_lack("correlation_id", "text"),
                        may_lack("causation_id", "text"),
                        may_lack("headers", "jsonb"),
                        needs("is_archived", "boolean"),
                    ]
                }
            }
            Self::Streams => {
                const {
                    &[
                        needs("id", "uuid"),
                        needs("type", "text"),
                        needs("version", "bigint"),
                        may_lack("tenant_id", "text"),
                        may_lack("snapshot", "jsonb"),
                        may_lack("snapshot_version", "integer"),
                        needs("is_archived", "boolean"),
                    ]
                }
            }
            Self::Summaries => {
                const {
                    &[
                        needs("id", "uuid"),
                        needs("data", "jsonb"),
                        may_lack("mt_last_modified", "timestamptz"),
                        may_lack("mt_version", "bigint"),
                        may_lack("tenant_id", "text"),
                    ]
                }
            }
            Self::Letters => {
                const {
                    &[
                        needs("id", "uuid"),
                        needs("data", "jsonb"),
                        may_lack("mt_last_modified", "timestamptz"),
                    ]
                }
            }
            Self::Progression => {
                const {
                    &[
                        needs("name", "text"),
                        needs("last_seq_id", "bigint"),
                        may_lack("last_updated", "timestamptz"),
                        may_lack("heartbeat", "timestamptz"),
                        may_lack("agent_status", "text"),
                        may_lack("pause_reason", "text"),
                    ]
                }
            }
            Self::OutboxMessages => {
                const {
                    &[
                        needs("sequence_number", "bigint"),
                        needs("sent_time", "timestamptz"),
                        needs("inbox_message_id", "uuid"),
                        needs("inbox_consumer_id", "uuid"),
                        needs("outbox_id", "uuid"),
                        needs("message_id", "uuid"),
                        needs("message_type", "text"),
                        needs("body", "text"),
                        may_lack("conversation_id", "uuid"),
                        may_lack("correlation_id", "uuid"),
                        may_lack("initiator_id", "uuid"),
                        may_lack("destination_address", "text"),
                        may_lack("expiration_time", "timestamptz"),
                        may_lack("enqueue_time", "timestamptz"),
                        may_lack("headers", "text"),
                        may_lack("properties", "text"),
                        may_lack("content_type", "text"),
                        may_lack("request_id", "uuid"),
                        may_lack("source_address", "text"),
                        may_lack("response_address", "text"),
                        may_lack("fault_address", "text"),
                    ]
                }
            }
            Self::OutboxStates => {
                const {
                    &[
                        needs("outbox_id", "uuid"),
                        needs("lock_id", "uuid"),
                        needs("created", "timestamptz"),
                        needs("delivered", "timestamptz"),
                        needs("last_sequence_number", "bigint"),
                    ]
                }
            }
            Self::InboxStates => {
                const {
                    &[
                        needs("id", "bigint"),
                        needs("message_id", "uuid"),
                        needs("consumer_id", "uuid"),
                        may_lack("lock_id", "uuid"),
                        needs("received", "timestamptz"),
                        needs("receive_count", "integer"),
                        needs("consumed", "timestamptz"),
                        needs("delivered", "timestamptz"),
                        needs("last_sequence_number", "bigint"),
                    ]
                }
            }
        }
    }

    /// Whether the catalog calls it so.
    pub fn is_called(self, name: &str) -> bool {
        same(self.name(), name)
    }

    /// The table that a name of the catalog means, if any.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| same(table.name(), name))
    }
}

/// A name without case and underscores: what snake case and Pascal case have in common.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|c| *c != '_' && *c != '"').map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the catalog's name is one of the spellings of ours. Such a name has only letters and
/// underscores, so it may be put into a statement.
pub(super) fn same(ours: &str, theirs: &str) -> bool {
    folded(ours) == folded(theirs) && theirs.chars().all(|c| c == '_' || c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_mean_the_same_table() {
        assert_eq!(Table::of("order_items"), Some(Table::OrderItems));
        assert_eq!(Table::of("OrderItems"), Some(Table::OrderItems));
        assert_eq!(Table::of("order items"), None);
        assert_eq!(Table::of("order\"items"), None);
    }
}
