-- What kind of database this is. 'managed': Orderscope made the document's tables and may change them.
-- 'attached': they belong to a running service. At most one row.
CREATE TABLE orderscope.database (
    singleton boolean NOT NULL DEFAULT true,
    kind text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    changed_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT pk_database PRIMARY KEY (singleton),
    CONSTRAINT ck_database_singleton CHECK (singleton),
    CONSTRAINT ck_database_kind CHECK (kind IN ('managed', 'attached'))
);
