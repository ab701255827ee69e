-- Everything worth knowing about a database in one statement without parameters, so that it is one round
-- trip by the simple protocol. The catalog only: no table of the service is touched.
SELECT
    current_setting('server_version_num')::int AS server,
    current_user::text AS role,
    -- ts_stat runs a query given as text, so that the table need not exist for this statement to be valid.
    -- A name inside a schema that may not be used is an error, so the schema is asked about first.
    (SELECT string_agg(word, '') FROM ts_stat(coalesce(
        CASE WHEN has_schema_privilege(to_regnamespace('orderscope'), 'USAGE') THEN
            CASE WHEN has_table_privilege(to_regclass('orderscope.database'), 'SELECT')
            THEN 'SELECT kind::tsvector FROM orderscope.database' END
        END, 'SELECT ''''::tsvector'))) AS kind,
    EXISTS (SELECT FROM pg_namespace WHERE nspname = 'orderscope') AS console,
    EXISTS (
        SELECT FROM pg_proc
        WHERE pronamespace NOT IN (
                SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
            AND proname IN ('mt_quick_append_events', 'mt_archive_stream', 'mt_mark_event_progression')
    ) AS marten,
    EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') AS trigrams,
    (
        SELECT coalesce(json_agg(json_build_object(
            'schema', n.nspname,
            'usage', has_schema_privilege(n.oid, 'USAGE'),
            'name', c.relname,
            'partitioned', c.relkind = 'p',
            'readable', has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (
                SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')),
            'rows', (
                SELECT sum(part.reltuples)::bigint FROM pg_class part
                WHERE part.reltuples >= 0 AND (part.oid = c.oid AND part.relkind <> 'p' OR part.oid IN (
                    SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid))),
            'pages', coalesce((
                SELECT sum(pg_relation_size(part.oid)) / current_setting('block_size')::int
                FROM pg_class part
                WHERE part.oid = c.oid OR part.oid IN (
                    SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid)), 0)::bigint,
            'columns', (
                SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, NULL)))
                FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
            -- Row level security hides rows from this role.
            'policed', c.relrowsecurity AND row_security_active(c.oid),
            -- Fails when an index is dropped while this runs, or is null: whoever asks asks again.
            'indexes', (
                SELECT json_agg(pg_get_indexdef(i.indexrelid)) FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisready)
        )), '[]')
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'orderscope')
            AND NOT starts_with(n.nspname::text, 'pg_') AND c.relkind IN ('r', 'p', 'v', 'm')
            AND NOT c.relispartition
            AND lower(replace(c.relname, '_', '')) IN (
                'orders', 'orderitems', 'buyers', 'mtevents', 'mtstreams', 'mtdocordersummaryview',
                'mtdocdeadletterevent', 'mteventprogression', 'outboxmessage', 'outboxstate', 'inboxstate')
    )::text AS tables
