-- What the screen of messages asks again every few seconds. Partial, so that they hold only what is wrong or
-- under way, and cost the service nothing otherwise.

-- Consumers that wait, fail or stopped half-way.
CREATE INDEX ix_inbox_state_open ON public.inbox_state (received) WHERE delivered IS NULL;

-- Deliveries, newest first: a managed database keeps them for a week.
CREATE INDEX ix_outbox_state_delivered ON public.outbox_state (delivered) WHERE delivered IS NOT NULL;

-- Messages that nothing will ever send, and messages that cannot leave as they are.
CREATE INDEX ix_outbox_message_orphan ON public.outbox_message (sequence_number)
    WHERE outbox_id IS NULL AND inbox_message_id IS NULL;
CREATE INDEX ix_outbox_message_undeliverable ON public.outbox_message (sequence_number)
    WHERE destination_address IS NULL
        OR destination_address !~ '^((rabbitmqs?|amqps?)://[^/ ]+/|queue:|exchange:|topic:)[-A-Za-z0-9_.:%/]+([?]|$)';
