-- What the demo data in this database was made from: the arguments give the same data again, and the list
-- of planted troubles is computed from them. At most one row.
CREATE TABLE orderscope.demo_load (
    singleton boolean NOT NULL DEFAULT true,
    orders bigint NOT NULL,
    seed bigint NOT NULL,
    years integer NOT NULL,
    until date NOT NULL,
    made_by text NOT NULL,
    loaded_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT pk_demo_load PRIMARY KEY (singleton),
    CONSTRAINT ck_demo_load_singleton CHECK (singleton)
);
