-- Messages that an operator took out of circulation or changed, whole as they were: nothing removed by hand is
-- lost. Also what an attached database's relay removes and retention wants kept.
CREATE TABLE orderscope.kept_messages (
    number bigint GENERATED ALWAYS AS IDENTITY,
    kept_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    -- The operation in the audit log; null where a worker kept it on its own.
    operation uuid,
    -- Why it is here.
    cause text NOT NULL,
    -- An outbox's or a queue's name, as people see it.
    place text NOT NULL,
    message_id uuid,
    -- Bytes: a body need not be text in the database's encoding.
    body bytea NOT NULL,
    -- The other columns of its row, or properties and headers of a message from a queue.
    rest jsonb NOT NULL,
    -- When it was put back, and by which operation.
    returned_at timestamp with time zone,
    returned_by uuid,
    CONSTRAINT pk_kept_messages PRIMARY KEY (number),
    CONSTRAINT ck_kept_messages_cause CHECK (cause IN ('quarantined', 'repaired', 'purged', 'discarded', 'delivered'))
);
CREATE INDEX ix_kept_messages_message ON orderscope.kept_messages (message_id);
CREATE INDEX ix_kept_messages_kept_at ON orderscope.kept_messages (kept_at DESC);
REVOKE ALL ON orderscope.kept_messages FROM PUBLIC;
