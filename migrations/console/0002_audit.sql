-- What operators did.
CREATE TABLE orderscope.audit (
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    operation uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    operator text NOT NULL,
    intent text NOT NULL,
    targets text[] NOT NULL,
    reason text,
    before jsonb,
    after jsonb,
    CONSTRAINT pk_audit PRIMARY KEY (number),
    CONSTRAINT uq_audit_operation UNIQUE (operation)
);
CREATE INDEX ix_audit_targets ON orderscope.audit USING gin (targets);
