//! The indexes that fast paths stand on, found by what they index, not by their names.

use super::names::{Table, folded};

/// Something an index may make fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Index {
    /// Orders, newest first.
    OrdersByPlaced,
    /// Orders of a buyer.
    OrdersByBuyer,
    /// Orders of a buyer, newest first.
    OrdersByBuyerPlaced,
    /// Orders in a status, newest first.
    OrdersByStatusPlaced,
    /// Soft-deleted orders, newest first.
    DeletedOrders,
    /// The end of an order's id.
    OrderTail,
    /// The end of a buyer's id.
    BuyerTail,
    /// Words of a note.
    NoteWords,
    /// Any part of a buyer's name.
    BuyerNames,
    /// The beginning of a buyer's name.
    BuyerNameStart,
    /// A buyer's city.
    BuyerCity,
    /// A buyer's province.
    BuyerProvince,
    /// Lines of an order.
    LinesByOrder,
    /// Orders with a book, by id.
    LinesByBook,
    /// Events of a stream.
    EventStream,
    /// Events of a tenant's stream.
    EventTenantStream,
    /// Streams by tenant: one id may be there for several.
    StreamTenant,
    /// Events whose body names an order.
    EventBody,
    /// Events by correlation id.
    EventCorrelation,
    /// Events by the end of their correlation id.
    EventCorrelationTail,
    /// Events by their own id.
    EventId,
    /// Messages whose body names an order.
    MessageBody,
    /// Messages by their id.
    MessageId,
    /// Messages of a conversation.
    MessageConversation,
    /// Messages by correlation id.
    MessageCorrelation,
    /// Messages of a bus outbox, in order.
    MessageOutbox,
    /// Messages of a consumer's outbox, in order.
    MessageInbox,
    /// Messages by expiration time.
    MessageExpiration,
    /// Bus outboxes, oldest first.
    OutboxCreated,
    /// Inbox rows of a message.
    InboxMessage,
    /// Inbox rows by the time they were done.
    InboxDelivered,
    /// Summaries by total.
    SummaryTotal,
    /// Summaries of about the same total, by id.
    SummaryTotalBucket,
    /// Dead letters by the event that failed.
    LetterEvent,
}

impl Index {
    /// All of them.
    pub const ALL: [Self; 34] = [
        Self::OrdersByPlaced,
        Self::OrdersByBuyer,
        Self::OrdersByBuyerPlaced,
        Self::OrdersByStatusPlaced,
        Self::DeletedOrders,
        Self::OrderTail,
        Self::BuyerTail,
        Self::NoteWords,
        Self::BuyerNames,
        Self::BuyerNameStart,
        Self::BuyerCity,
        Self::BuyerProvince,
        Self::LinesByOrder,
        Self::LinesByBook,
        Self::EventStream,
        Self::EventTenantStream,
        Self::StreamTenant,
        Self::EventBody,
        Self::EventCorrelation,
        Self::EventCorrelationTail,
        Self::EventId,
        Self::MessageBody,
        Self::MessageId,
        Self::MessageConversation,
        Self::MessageCorrelation,
        Self::MessageOutbox,
        Self::MessageInbox,
        Self::MessageExpiration,
        Self::OutboxCreated,
        Self::InboxMessage,
        Self::InboxDelivered,
        Self::SummaryTotal,
        Self::SummaryTotalBucket,
        Self::LetterEvent,
    ];

    /// The table, and what the definition must contain, folded: no case, quotes or underscores.
    const fn wanted(self) -> (Table, &'static [&'static str]) {
        match self {
            Self::OrdersByPlaced => (Table::Orders, &["btree (createdat"]),
            Self::OrdersByBuyer => (Table::Orders, &["btree (buyerid"]),
            Self::OrdersByBuyerPlaced => (Table::Orders, &["btree (buyerid, createdat"]),
            Self::OrdersByStatusPlaced => (Table::Orders, &["btree (status, createdat"]),
            Self::DeletedOrders => (Table::Orders, &["btree (createdat", " where isdeleted"]),
            Self::OrderTail => {
                (Table::Orders, &["btree (reverse(replace((id)::text", "textpatternops"])
            }
            Self::BuyerTail => {
                (Table::Buyers, &["btree (reverse(replace((id)::text", "textpatternops"])
            }
            Self::NoteWords => (Table::Orders, &["gin (totsvector('simple'::regconfig"]),
            Self::BuyerNames => (Table::Buyers, &["gin (lower((name)::text) ", "gintrgmops"]),
            Self::BuyerNameStart => (Table::Buyers, &["btree (lower((name)::text) textpatternops"]),
            Self::BuyerCity => (Table::Buyers, &["btree (lower((addresscity)::text)"]),
            Self::BuyerProvince => (Table::Buyers, &["btree (lower((addressprovince)::text)"]),
            Self::LinesByOrder => (Table::OrderItems, &["btree (orderid"]),
            Self::LinesByBook => (Table::OrderItems, &["btree (bookid, orderid"]),
            Self::EventStream => (Table::Events, &["btree (streamid"]),
            Self::EventTenantStream => (Table::Events, &["btree (tenantid, streamid"]),
            Self::StreamTenant => (Table::Streams, &["btree (tenantid, id"]),
            Self::EventBody => {
                (Table::Events, &["btree (((substring(coalesce(((data -> 'order'", "8}(?:-["])
            }
            Self::EventCorrelation => (Table::Events, &[" (correlationid"]),
            Self::EventCorrelationTail => {
                (Table::Events, &["(reverse(left((correlationid)::text, 64)) textpatternops"])
            }
            Self::EventId => (Table::Events, &["btree (id"]),
            Self::MessageBody => {
                (Table::OutboxMessages, &["btree (((substring(left(body, 1000000)"])
            }
            Self::MessageId => (Table::OutboxMessages, &["btree (messageid"]),
            Self::MessageConversation => (Table::OutboxMessages, &["btree (conversationid"]),
            Self::MessageCorrelation => (Table::OutboxMessages, &["btree (correlationid"]),
            Self::MessageOutbox => (Table::OutboxMessages, &["btree (outboxid, sequencenumber"]),
            Self::MessageInbox => {
                (Table::OutboxMessages, &["btree (inboxmessageid, inboxconsumerid"])
            }
            Self::MessageExpiration => (Table::OutboxMessages, &["btree (expirationtime"]),
            Self::OutboxCreated => (Table::OutboxStates, &["btree (created"]),
            Self::InboxMessage => (Table::InboxStates, &["btree (messageid"]),
            Self::InboxDelivered => (Table::InboxStates, &["btree (delivered"]),
            Self::SummaryTotal => {
                (Table::Summaries, &["jsonbtypeof((data -> 'totalprice'", "::numeric", "end))"])
            }
            Self::SummaryTotalBucket => (
                Table::Summaries,
                &["btree (((floor((", "ln((greatest(", "'totalprice'", "::integer), id"],
            ),
            Self::LetterEvent => (Table::Letters, &["left(coalesce((data ->> 'eventsequence'"]),
        }
    }

    /// A partial index that serves the whole question: null never equals what is looked for.
    const fn may_be_partial(self) -> bool {
        matches!(self, Self::EventCorrelation | Self::EventCorrelationTail | Self::DeletedOrders)
    }

    /// What a valid index on this table with this definition (`pg_get_indexdef`) makes fast.
    pub(super) fn served(table: Table, definition: &str) -> impl Iterator<Item = Self> {
        let definition = folded(definition);
        let partial = definition.contains(" where ");
        Self::ALL.into_iter().filter(move |index| {
            let (on, wanted) = index.wanted();
            on == table
                && wanted.iter().all(|part| definition.contains(part))
                && (!partial || index.may_be_partial())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(table: Table, definition: &str) -> Vec<Index> {
        Index::served(table, definition).collect()
    }

    #[test]
    fn spelling_does_not_matter_but_the_leading_column_does() {
        let snake = "CREATE INDEX i ON public.orders USING btree (created_at DESC, id DESC)";
        assert_eq!(served(Table::Orders, snake), [Index::OrdersByPlaced]);
        let pascal = "CREATE INDEX i ON public.\"Orders\" USING btree (\"BuyerId\")";
        assert_eq!(served(Table::Orders, pascal), [Index::OrdersByBuyer]);
        let second = "CREATE INDEX i ON public.orders USING btree (id, created_at)";
        assert_eq!(served(Table::Orders, second), []);
    }

    #[test]
    fn a_partial_index_does_not_serve_every_row() {
        let part = "CREATE INDEX i ON public.orders USING btree (created_at) WHERE (status = 0)";
        assert_eq!(served(Table::Orders, part), []);
        let nulls = "CREATE INDEX i ON public.mt_events USING btree (correlation_id) \
                     WHERE (correlation_id IS NOT NULL)";
        assert_eq!(served(Table::Events, nulls), [Index::EventCorrelation]);
    }
}
