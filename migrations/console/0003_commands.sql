-- What the command executor has to know of a database and cannot see in its tables.
ALTER TABLE orderscope.database
    -- Who keeps the order summary documents: the transaction that writes the event ('inline', the
    -- document's setting) or a projection runner ('async'). Managed databases only.
    ADD COLUMN projection text NOT NULL DEFAULT 'inline',
    -- Who publishes integration events: the service's own subscription to its events ('service'), or the
    -- outbox tables ('outbox'). Unknown (null) on an attached database until someone says it; a managed
    -- one has no service, so its outbox publishes.
    ADD COLUMN publisher text,
    -- The broker's address as destinations begin with it ('rabbitmq://rabbitmq/'). Null: as in the newest
    -- message of the outbox.
    ADD COLUMN broker text,
    -- A snapshot of a stream is kept after so many events; null: never.
    ADD COLUMN snapshot_every integer DEFAULT 20,
    ADD CONSTRAINT ck_database_projection CHECK (projection IN ('inline', 'async')),
    ADD CONSTRAINT ck_database_publisher CHECK (publisher IN ('service', 'outbox')),
    ADD CONSTRAINT ck_database_snapshot_every CHECK (snapshot_every > 0);

-- Demo data from before this setting is projected by a runner.
DO $migration$
BEGIN
    IF to_regclass('orderscope.demo_load') IS NOT NULL THEN
        UPDATE orderscope.database SET projection = 'async' WHERE EXISTS (SELECT FROM orderscope.demo_load);
    END IF;
END
$migration$;
