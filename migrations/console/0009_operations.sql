-- Bulk operations: a list of ids that was frozen when the operation was made, and how far it has come. Whoever holds
-- the advisory lock of an operation's id runs it; everything else about it is in these tables, so that any console can
-- go on where another one was killed.
CREATE TABLE orderscope.operations (
    id uuid NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    -- As policies and audit name it.
    name text NOT NULL,
    parameters jsonb NOT NULL,
    state text NOT NULL,
    -- What another session asks of the one that runs it; it is done after the batch under way.
    wanted text,
    -- Why it stands still, for people.
    told text,
    items bigint NOT NULL DEFAULT 0,
    -- Items up to this ordinal have an outcome.
    position bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    -- Failed items that whoever resumed it has seen: the stop rule counts those after them.
    accepted bigint NOT NULL DEFAULT 0,
    batches integer NOT NULL DEFAULT 0,
    -- Batches up to this one were verified.
    verified integer NOT NULL DEFAULT 0,
    -- Items a second at most; null: as fast as it goes.
    rate integer,
    operator text NOT NULL,
    host text NOT NULL,
    -- The logins are those that PostgreSQL itself knows, whatever the operators call themselves.
    login text NOT NULL DEFAULT session_user,
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    -- It is large enough to need a second person.
    needs_approval boolean NOT NULL DEFAULT false,
    approver text,
    approver_login text,
    approved_at timestamp with time zone,
    -- Who ran it last.
    runner text,
    runner_login text,
    runner_since timestamp with time zone,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    -- Audit records of what was meant and of what became of it.
    audit_begun bigint,
    audit_ended bigint,
    CONSTRAINT pk_operations PRIMARY KEY (id),
    CONSTRAINT uq_operations_number UNIQUE (number),
    CONSTRAINT ck_operations_state CHECK (state IN ('freezing', 'waiting', 'ready', 'running', 'paused', 'stopped',
        'done', 'cancelled')),
    CONSTRAINT ck_operations_wanted CHECK (wanted IN ('pause', 'cancel')),
    CONSTRAINT ck_operations_rate CHECK (rate > 0),
    CONSTRAINT ck_operations_counts CHECK (position = done + skipped + failed AND position <= items
        AND verified <= batches),
    CONSTRAINT ck_operations_second_person CHECK (approver_login <> login),
    CONSTRAINT ck_operations_approved CHECK (NOT needs_approval OR approver_login IS NOT NULL
        OR state IN ('freezing', 'waiting', 'cancelled'))
);

-- The frozen list. An item is there once, and gets its outcome in the transaction that does its work.
CREATE TABLE orderscope.operation_items (
    operation uuid NOT NULL,
    ordinal bigint NOT NULL,
    key jsonb NOT NULL,
    outcome text,
    -- Why it was skipped, or failed.
    told text,
    CONSTRAINT pk_operation_items PRIMARY KEY (operation, ordinal),
    CONSTRAINT uq_operation_items_key UNIQUE (operation, key),
    CONSTRAINT fk_operation_items_operation FOREIGN KEY (operation) REFERENCES orderscope.operations (id),
    CONSTRAINT ck_operation_items_outcome CHECK (outcome IN ('done', 'skipped', 'failed'))
);
CREATE INDEX ix_operation_items_trouble ON orderscope.operation_items (operation, ordinal)
    WHERE outcome IN ('skipped', 'failed');

-- One row a transaction, written in it.
CREATE TABLE orderscope.operation_batches (
    operation uuid NOT NULL,
    batch integer NOT NULL,
    -- Ordinals that got their outcome; an item that takes several transactions gets it in the last of them, and
    -- "last" is before "first" until then.
    first bigint NOT NULL,
    last bigint NOT NULL,
    done integer NOT NULL,
    skipped integer NOT NULL,
    failed integer NOT NULL,
    -- What was changed, in short: counts, copies, a hash over the rows as they were.
    evidence jsonb NOT NULL,
    operator text NOT NULL,
    host text NOT NULL,
    login text NOT NULL DEFAULT session_user,
    began_at timestamp with time zone NOT NULL DEFAULT now(),
    ended_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_operation_batches PRIMARY KEY (operation, batch),
    CONSTRAINT fk_operation_batches_operation FOREIGN KEY (operation) REFERENCES orderscope.operations (id)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON orderscope.operation_batches
    FOR EACH STATEMENT EXECUTE FUNCTION orderscope.refuse_change();
ALTER TABLE orderscope.operation_batches ENABLE ALWAYS TRIGGER append_only;

REVOKE ALL ON orderscope.operations, orderscope.operation_items, orderscope.operation_batches FROM PUBLIC;
