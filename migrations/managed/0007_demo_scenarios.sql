-- The trouble that `demo scenario` planted, if any: every row of it by its id, so that `demo heal` removes these and
-- nothing else.
CREATE TABLE orderscope.demo_scenario (
    singleton boolean NOT NULL DEFAULT true,
    name text NOT NULL,
    planted_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT pk_demo_scenario PRIMARY KEY (singleton),
    CONSTRAINT ck_demo_scenario_singleton CHECK (singleton)
);
CREATE TABLE orderscope.demo_planted (
    -- 'outbox': outbox_state by its id; 'message': outbox_message by its number and message id; 'inbox': inbox_state by
    -- message and consumer.
    kind text NOT NULL,
    id uuid NOT NULL,
    consumer_id uuid,
    number bigint,
    CONSTRAINT ck_demo_planted_kind CHECK (kind IN ('outbox', 'message', 'inbox'))
);
