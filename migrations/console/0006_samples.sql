-- What Orderscope saw of outbox and inbox, look by look: the service's own tables hold no history. Bounded: slices of
-- a minute become slices of a quarter of an hour after a day, those become hours after 31 days, and hours go after
-- 366 days; docs/messages.md has the exact bounds.
CREATE TABLE orderscope.samples (
    -- How long the slice is, in seconds.
    grain integer NOT NULL,
    begins timestamp with time zone NOT NULL,
    looks bigint NOT NULL,
    -- The last look of the slice.
    last_at timestamp with time zone NOT NULL,
    pending bigint NOT NULL,
    -- The last sequence number drawn; null where the role may not see it.
    drawn bigint,
    -- When the oldest pending message was published.
    oldest timestamp with time zone,
    failing bigint NOT NULL,
    half_done bigint NOT NULL,
    -- Second deliveries that the inbox showed then, exact and estimated.
    duplicates bigint NOT NULL,
    -- The largest backlog of all looks of the slice.
    most bigint NOT NULL,
    -- Messages that came and left since the look before, and the time over which that is known.
    came bigint NOT NULL,
    gone bigint NOT NULL,
    known_ms bigint NOT NULL,
    -- The last look between which and the one before something left.
    left_at timestamp with time zone,
    -- Deliveries that consumers finished, and those of pairs that were finished before and forgotten by the service.
    received bigint NOT NULL,
    repeated bigint NOT NULL,
    CONSTRAINT pk_samples PRIMARY KEY (grain, begins),
    CONSTRAINT ck_samples_grain CHECK (grain IN (60, 900, 3600)),
    CONSTRAINT ck_samples_looks CHECK (looks > 0)
);
CREATE INDEX ix_samples_begins ON orderscope.samples (begins DESC);

-- What consumers finished, kept longer than the service keeps its inbox rows: after its window the service forgets
-- a message, and the same one runs the handler again.
CREATE TABLE orderscope.seen_messages (
    message_id uuid NOT NULL,
    consumer_id uuid NOT NULL,
    received timestamp with time zone NOT NULL,
    delivered timestamp with time zone NOT NULL,
    -- How often the same pair was finished again after its row had gone.
    repeated integer NOT NULL DEFAULT 0,
    CONSTRAINT pk_seen_messages PRIMARY KEY (message_id, consumer_id)
);
CREATE INDEX ix_seen_messages_delivered ON orderscope.seen_messages (delivered DESC);
REVOKE ALL ON orderscope.samples, orderscope.seen_messages FROM PUBLIC;
