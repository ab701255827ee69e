-- What the search, the timeline and the causal chain look up. Every expression is total: no text, JSON or
-- number that the columns accept may make it raise or outgrow an index row, or a write of the service
-- would fail because of us. src/db/expressions.rs holds the same expressions for the queries.

-- A buyer's orders, newest first (ix_orders_buyer_id, the document's, is not sorted).
CREATE INDEX ix_orders_buyer_id_created_at ON public.orders (buyer_id, created_at DESC, id DESC);

-- The end of an id, as people quote it: reversed, so that a tail of any length is a prefix.
CREATE INDEX ix_orders_id_tail ON public.orders (reverse(replace(id::text, '-', '')) text_pattern_ops);
CREATE INDEX ix_buyers_id_tail ON public.buyers (reverse(replace(id::text, '-', '')) text_pattern_ops);

-- Orders with a book, without visiting the lines.
CREATE INDEX ix_order_items_book_id ON public.order_items (book_id, order_id);

-- Words of a note. No pending list: a search must not get slower with what was written since.
CREATE INDEX ix_orders_note_words ON public.orders
    USING gin (to_tsvector('simple'::regconfig, note::text)) WITH (fastupdate = off);

-- The beginning of a name, and places by name, without case.
CREATE INDEX ix_buyers_name ON public.buyers (lower(name::text) text_pattern_ops);
CREATE INDEX ix_buyers_city ON public.buyers (lower(address_city::text));
CREATE INDEX ix_buyers_province ON public.buyers (lower(address_province::text));
-- A city says its province: without this the planner multiplies the two.
CREATE STATISTICS public.st_buyers_place (dependencies, mcv)
    ON lower(address_city::text), lower(address_province::text) FROM public.buyers;

-- Any part of a name or a note. Needs the trusted extension pg_trgm; where it is not installed or not
-- allowed, the search says so and looks for whole words and beginnings.
DO $migration$
DECLARE
    place text;
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'pg_trgm may not be created by this role: searches inside words will be slow';
        END;
    END IF;
    SELECT nspname INTO place
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm';
    IF place IS NOT NULL THEN
        EXECUTE format('CREATE INDEX ix_buyers_name_trigrams ON public.buyers
            USING gin (lower(name::text) %I.gin_trgm_ops) WITH (fastupdate = off)', place);
        EXECUTE format('CREATE INDEX ix_orders_note_trigrams ON public.orders
            USING gin (lower(note::text) %I.gin_trgm_ops) WITH (fastupdate = off)', place);
    END IF;
END
$migration$;

-- The order that an event body names (the .NET service in the field: one stream per event). What is not
-- written like a UUID is no id: the cast never sees it.
CREATE INDEX ix_mt_events_order ON public.mt_events ((substring(
    coalesce(data -> 'Order' ->> 'Id', data -> 'order' ->> 'id')
    FROM '^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$')::uuid));

-- An event by its own id.
CREATE INDEX ix_mt_events_id ON public.mt_events (id);

-- Correlation ids whole and by their end. Free text in the column: a hash has no size limit, a tail gets
-- one.
CREATE INDEX ix_mt_events_correlation_id ON public.mt_events USING hash (correlation_id);
CREATE INDEX ix_mt_events_correlation_tail
    ON public.mt_events (reverse(left(correlation_id::text, 64)) text_pattern_ops)
    WHERE correlation_id IS NOT NULL;

-- Totals of the summary documents: amount ranges without adding up lines. Numbers only, and none so long
-- that it would not fit.
CREATE INDEX ix_mt_doc_ordersummaryview_total ON public.mt_doc_ordersummaryview ((
    CASE WHEN jsonb_typeof(data -> 'TotalPrice') = 'number' AND length(data ->> 'TotalPrice') <= 40
         THEN (data -> 'TotalPrice')::numeric END));

-- The letters of an event. As text: whatever the service wrote there stays writable.
CREATE INDEX ix_mt_doc_deadletterevent_sequence ON public.mt_doc_deadletterevent (
    left(coalesce(data ->> 'EventSequence', data ->> 'eventSequence'), 20));

-- The order that a message body names, found by pattern: a body that is not JSON stays writable, and one
-- without end does not stop the write.
CREATE INDEX ix_outbox_message_order ON public.outbox_message ((substring(
    left(body, 1000000) FROM '(?i)"orderid"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')::uuid));
CREATE INDEX ix_outbox_message_message_id ON public.outbox_message (message_id);
CREATE INDEX ix_outbox_message_conversation_id ON public.outbox_message (conversation_id);
CREATE INDEX ix_outbox_message_correlation_id ON public.outbox_message (correlation_id);

-- Outboxes not yet recorded as delivered; a managed database keeps the delivered ones for a week.
CREATE INDEX ix_outbox_state_open ON public.outbox_state (created) WHERE delivered IS NULL;
