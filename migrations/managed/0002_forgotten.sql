-- What the document names but does not create.

-- Event numbers. Owned by no column: when Marten takes a database over it rebuilds mt_events and drops
-- what the old table owned; an owned sequence would start again at 1 and every append would fail.
CREATE SEQUENCE public.mt_events_sequence;

-- Marten's guard against two writers, under Marten's name. Also finds the events of a stream, the
-- document's recommended mt_events(stream_id).
CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON public.mt_events (stream_id, version);

-- The document's recommended indexes, each with what makes its pages sorted and unique: a first page
-- and every next one (keyset) read only the rows they show. orders(buyer_id) is in the document's text.
CREATE INDEX ix_orders_created_at ON public.orders (created_at DESC, id DESC);
CREATE INDEX ix_orders_status ON public.orders (status, created_at DESC, id DESC);
CREATE INDEX ix_mt_events_type ON public.mt_events (type, seq_id);
-- Events arrive nearly in the order of their times: a block range index is a thousandth of a b-tree.
CREATE INDEX ix_mt_events_timestamp ON public.mt_events USING brin ("timestamp")
    WITH (pages_per_range = 16, autosummarize = on);

-- MassTransit's own, under its names, one of them cut at 63 characters by PostgreSQL.
CREATE UNIQUE INDEX ix_outbox_message_outbox_id_sequence_number
    ON public.outbox_message (outbox_id, sequence_number);
CREATE UNIQUE INDEX ix_outbox_message_inbox_message_id_inbox_consumer_id_sequence_
    ON public.outbox_message (inbox_message_id, inbox_consumer_id, sequence_number);
CREATE INDEX ix_outbox_message_enqueue_time ON public.outbox_message (enqueue_time);
CREATE INDEX ix_outbox_message_expiration_time ON public.outbox_message (expiration_time);
CREATE INDEX ix_outbox_state_created ON public.outbox_state (created);
CREATE INDEX ix_inbox_state_delivered ON public.inbox_state (delivered);
