-- Who did what, and why: append-only, and chained by hashes so that a change made behind the triggers is
-- found. docs/audit.md has the exact input of every hash.

-- One chain per writer (a console session, a run of a verb), so that commands do not queue on one row.
-- The head is the only row of a chain that changes.
CREATE TABLE orderscope.audit_chains (
    chain uuid NOT NULL,
    operator text NOT NULL,
    host text NOT NULL,
    program text NOT NULL,
    opened_at timestamp with time zone NOT NULL DEFAULT now(),
    position bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    CONSTRAINT pk_audit_chains PRIMARY KEY (chain),
    CONSTRAINT ck_audit_chains_position CHECK (position >= 0),
    CONSTRAINT ck_audit_chains_hash CHECK (octet_length(hash) = 32)
);

CREATE SEQUENCE orderscope.audit_number;

CREATE TABLE orderscope.audit (
    number bigint NOT NULL,
    chain uuid NOT NULL,
    position bigint NOT NULL,
    operation uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    operator text NOT NULL,
    host text NOT NULL,
    role text NOT NULL,
    -- The login that PostgreSQL itself knows, whatever the operator calls themselves.
    login text NOT NULL,
    intent text NOT NULL,
    targets text[] NOT NULL,
    before_digest bytea,
    after_digest bytea,
    reason_digest bytea,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (number),
    CONSTRAINT uq_audit_chain_position UNIQUE (chain, position),
    -- The idempotency of every command rests on it: one operation is recorded, and so done, once.
    CONSTRAINT uq_audit_operation UNIQUE (operation),
    CONSTRAINT fk_audit_chain FOREIGN KEY (chain) REFERENCES orderscope.audit_chains (chain),
    CONSTRAINT ck_audit_position CHECK (position > 0)
);
ALTER SEQUENCE orderscope.audit_number OWNED BY orderscope.audit.number;

CREATE INDEX ix_audit_at ON orderscope.audit (at DESC, number DESC);
CREATE INDEX ix_audit_operator ON orderscope.audit (operator, number DESC);
CREATE INDEX ix_audit_targets ON orderscope.audit USING gin (targets);

-- The values themselves, with the salts of their digests: personal data may be in them, so rows may be
-- removed. Without the salt a digest says nothing about the value that is gone. JSON is kept as it was
-- digested, in text: jsonb would order its keys anew and refuses U+0000.
CREATE TABLE orderscope.audit_values (
    number bigint NOT NULL,
    part text NOT NULL,
    salt bytea NOT NULL,
    value text NOT NULL,
    CONSTRAINT pk_audit_values PRIMARY KEY (number, part),
    CONSTRAINT fk_audit_values_audit FOREIGN KEY (number) REFERENCES orderscope.audit (number),
    CONSTRAINT ck_audit_values_part CHECK (part IN ('before', 'after', 'reason'))
);

-- From time to time one hash over all heads that moved, chained to the hash before it: who cuts a chain short
-- or removes one as a whole would have to make all later anchors anew, and they can be kept elsewhere.
CREATE TABLE orderscope.audit_anchors (
    number bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_audit_anchors PRIMARY KEY (number)
);

CREATE TABLE orderscope.audit_anchor_heads (
    anchor bigint NOT NULL,
    chain uuid NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_audit_anchor_heads PRIMARY KEY (anchor, chain),
    CONSTRAINT fk_audit_anchor_heads_anchor FOREIGN KEY (anchor) REFERENCES orderscope.audit_anchors (number)
);
CREATE INDEX ix_audit_anchor_heads_chain ON orderscope.audit_anchor_heads (chain, position DESC);

CREATE FUNCTION orderscope.refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;

-- ALWAYS: also while a session replays with session_replication_role = replica.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON orderscope.audit
    FOR EACH STATEMENT EXECUTE FUNCTION orderscope.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON orderscope.audit_anchors
    FOR EACH STATEMENT EXECUTE FUNCTION orderscope.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON orderscope.audit_anchor_heads
    FOR EACH STATEMENT EXECUTE FUNCTION orderscope.refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON orderscope.audit_chains
    FOR EACH STATEMENT EXECUTE FUNCTION orderscope.refuse_change();
-- A value is kept or erased, never rewritten.
CREATE TRIGGER never_rewritten BEFORE UPDATE ON orderscope.audit_values
    FOR EACH STATEMENT EXECUTE FUNCTION orderscope.refuse_change();
ALTER TABLE orderscope.audit ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE orderscope.audit_anchors ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE orderscope.audit_anchor_heads ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE orderscope.audit_chains ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE orderscope.audit_values ENABLE ALWAYS TRIGGER never_rewritten;

REVOKE ALL ON SCHEMA orderscope FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA orderscope FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA orderscope FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA orderscope FROM PUBLIC;
