//! Expressions that a managed database has indexes on, for the queries that want to use them. They are
//! valid on every layout; without the index they only cost more. The same expressions are in `0003_search.sql` and
//! `0005_search_faster.sql` of `migrations/managed`, and a test asks the planner whether they still match.
//!
//! Columns are named without their table: use them where only one table has a `data`, `body` or `id`.

/// `mt_events`: the order named in the body, as `uuid`; null for a body that names none.
pub const EVENT_ORDER: &str = "(substring(coalesce(data -> 'Order' ->> 'Id', data -> 'order' ->> 'id') \
     FROM '^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$')::uuid)";

/// `mt_events`: the correlation id backwards. Compare with `LIKE` and the reversed tail plus `%`.
/// A whole id needs no expression: `correlation_id = $1`.
pub const EVENT_CORRELATION_TAIL: &str = "reverse(left(correlation_id, 64))";

/// `outbox_message`: the order named in the body, as `uuid`; null for a body that names none.
pub const MESSAGE_ORDER: &str = concat!(
    r"(substring(left(body, 1000000) FROM ",
    r#"'(?i)"orderid"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')::uuid)"#,
);

/// `mt_doc_deadletterevent`: the sequence number of the event that failed, as text.
pub const LETTER_SEQUENCE: &str =
    "left(coalesce(data ->> 'EventSequence', data ->> 'eventSequence'), 20)";

/// `mt_doc_ordersummaryview`: the total as `numeric`; null where the document has no sensible number.
pub const SUMMARY_TOTAL: &str = "(CASE WHEN jsonb_typeof(data -> 'TotalPrice') = 'number' \
     AND length(data ->> 'TotalPrice') <= 40 THEN (data -> 'TotalPrice')::numeric END)";

/// `mt_doc_ordersummaryview`: which of the buckets, each 5 % wide, the total is in.
pub const SUMMARY_TOTAL_BUCKET: &str = "floor(20 * ln(greatest(CASE WHEN \
     jsonb_typeof(data -> 'TotalPrice') = 'number' AND length(data ->> 'TotalPrice') <= 40 \
     THEN (data -> 'TotalPrice')::numeric END, 0.01)::float8))::integer";

/// `orders` and `buyers`: the id's digits backwards. Compare with `LIKE` and the reversed tail plus `%`.
pub const ID_TAIL: &str = "reverse(replace(id::text, '-', ''))";

/// `orders`: the words of the note. Match with `@@` and `plainto_tsquery('simple', $1)`.
pub const NOTE_WORDS: &str = "to_tsvector('simple'::regconfig, note)";

/// `orders`: the note without case, indexed for `LIKE '%…%'` where `pg_trgm` is installed.
pub const NOTE_TEXT: &str = "lower(note)";

/// `buyers`: the name without case: a beginning is always fast, a part of it where `pg_trgm` is installed.
pub const BUYER_NAME: &str = "lower(name)";

/// `buyers`: the city without case.
pub const BUYER_CITY: &str = "lower(address_city)";

/// `buyers`: the province without case.
pub const BUYER_PROVINCE: &str = "lower(address_province)";

/// The total of an order's lines `i`: zero without lines, null where one has no price or quantity that can be read, and
/// where the sum is no sensible amount.
pub(super) const LINES_TOTAL: &str = "CASE WHEN count(i.price * i.quantity) = count(*) \
     AND coalesce(sum(i.price * i.quantity), 0) BETWEEN -1e24 AND 1e24 \
     THEN coalesce(sum(i.price * i.quantity), 0) END";
