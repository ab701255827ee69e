-- Outboxes that an operator holds back: Orderscope's relay leaves them alone until they are released. MassTransit
-- has no such mark and does not look here, so only managed databases have rows.
CREATE TABLE orderscope.held_outboxes (
    outbox_id uuid NOT NULL,
    held_at timestamp with time zone NOT NULL,
    held_by text NOT NULL,
    -- The operation in the audit log, which has the reason.
    operation uuid NOT NULL,
    CONSTRAINT pk_held_outboxes PRIMARY KEY (outbox_id)
);
REVOKE ALL ON orderscope.held_outboxes FROM PUBLIC;
