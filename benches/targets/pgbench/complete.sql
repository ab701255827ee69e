-- Completing an order: the statements of a command as the server logs them (log_statement = all), none left out.
-- The order is number n: where the executor sends ids, they are made of n here. All other values are those of a
-- command that ran; benches/targets/commands.rs reads them. What the executor sends in one round trip goes in one
-- here. Constants are spelt so that no word follows a colon: pgbench would take it for a variable.
\set k :k + 1
\set n :base + :client_id * :each + :k
\startpipeline
BEGIN;
SELECT pg_advisory_xact_lock(:n);
SELECT 1 FROM public."orders" t WHERE t."id" = md5(:n::text)::uuid FOR UPDATE;
\endpipeline
SELECT EXISTS (SELECT FROM orderscope.audit
    WHERE operation = md5('operation ' || :n)::uuid) AS recorded,
  (SELECT row_to_json(x) FROM (SELECT to_jsonb(t) AS row, t.xmin::text AS xmin
    FROM public."orders" t
    WHERE t."id" = md5(:n::text)::uuid) x) AS order_seen,
  (SELECT row_to_json(x) FROM (SELECT o.id, o.status, o.note, o.buyer_id, o.is_deleted,
    CASE WHEN o.created_at IS NOT NULL THEN least(greatest(o.created_at, '0001-01-01 UTC'::timestamptz),
    '9999-12-31 UTC'::timestamptz) END AS created_at,
    CASE WHEN o.last_modified_at IS NOT NULL THEN least(greatest(o.last_modified_at,
    '0001-01-01 UTC'::timestamptz), '9999-12-31 UTC'::timestamptz) END AS last_modified_at,
    b.id IS NOT NULL AS known_buyer, b.name, b.address_street, b.address_city, b.address_province
    FROM public.orders o LEFT JOIN public.buyers b ON b.id = o.buyer_id
    WHERE o.id = md5(:n::text)::uuid LIMIT 1) x) AS order_row,
  (SELECT json_agg(x) FROM (SELECT i.id, i.book_id, i.quantity, i.price::text AS price
    FROM public.order_items i
    WHERE i.order_id = md5(:n::text)::uuid ORDER BY i.id LIMIT 10000) x) AS lines,
  (SELECT json_agg(x) FROM ((SELECT seq_id, id, stream_id, version, type AS kind,
    CASE WHEN "timestamp" IS NOT NULL THEN least(greatest("timestamp", '0001-01-01 UTC'::timestamptz),
    '9999-12-31 UTC'::timestamptz) END AS at, mt_dotnet_type, correlation_id, causation_id, headers,
    is_archived, data, bdata IS NOT NULL AS is_binary
    FROM (SELECT "seq_id" AS "seq_id", "id" AS "id", "stream_id" AS "stream_id", "version" AS "version",
      "data" AS "data", NULL::bytea AS "bdata", "type" AS "type", "timestamp" AS "timestamp",
      "mt_dotnet_type" AS "mt_dotnet_type", "correlation_id" AS "correlation_id", "causation_id" AS "causation_id",
      "headers" AS "headers", "is_archived" AS "is_archived"
    FROM public."mt_events") e
    WHERE stream_id = md5(:n::text)::uuid ORDER BY seq_id LIMIT 5001)
    UNION ALL (SELECT seq_id, id, stream_id, version, type AS kind,
      CASE WHEN "timestamp" IS NOT NULL THEN least(greatest("timestamp", '0001-01-01 UTC'::timestamptz),
      '9999-12-31 UTC'::timestamptz) END AS at, mt_dotnet_type, correlation_id, causation_id, headers,
      is_archived, data, bdata IS NOT NULL AS is_binary
    FROM (SELECT "seq_id" AS "seq_id", "id" AS "id", "stream_id" AS "stream_id", "version" AS "version",
      "data" AS "data", NULL::bytea AS "bdata", "type" AS "type", "timestamp" AS "timestamp",
      "mt_dotnet_type" AS "mt_dotnet_type", "correlation_id" AS "correlation_id", "causation_id" AS "causation_id",
      "headers" AS "headers", "is_archived" AS "is_archived"
    FROM public."mt_events") e
    WHERE (substring(coalesce(data -> 'Order' ->> 'Id',
      data -> 'order' ->> 'id') FROM '^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$')::uuid) =
      md5(:n::text)::uuid AND stream_id IS DISTINCT FROM md5(:n::text)::uuid ORDER BY seq_id LIMIT 5001) ORDER BY
      seq_id LIMIT 5001) x) AS events,
  (SELECT row_to_json(x) FROM (SELECT version, snapshot, snapshot_version, is_archived
    FROM public.mt_streams s
    WHERE id = md5(:n::text)::uuid ORDER BY is_archived LIMIT 1) x) AS stream,
  (SELECT row_to_json(x) FROM (SELECT s.id IS NOT NULL AS found, s.data, s.mt_version::bigint AS version,
    CASE WHEN s.mt_last_modified IS NOT NULL THEN least(greatest(s.mt_last_modified,
    '0001-01-01 UTC'::timestamptz), '9999-12-31 UTC'::timestamptz) END AS last_modified,
  (SELECT last_seq_id
    FROM (SELECT "name" AS "name", "last_seq_id" AS "last_seq_id", "last_updated" AS "last_updated",
      NULL::timestamptz AS "heartbeat", NULL::text AS "agent_status", NULL::text AS "pause_reason"
    FROM public."mt_event_progression") p
    WHERE name = 'OrderSummaryView:' || 'All' LIMIT 1) AS summary,
  (SELECT last_seq_id
    FROM (SELECT "name" AS "name", "last_seq_id" AS "last_seq_id", "last_updated" AS "last_updated",
      NULL::timestamptz AS "heartbeat", NULL::text AS "agent_status", NULL::text AS "pause_reason"
    FROM public."mt_event_progression") p
    WHERE name = 'HighWaterMark' LIMIT 1) AS high_water,
  (SELECT seq_id
    FROM (SELECT "seq_id" AS "seq_id", "id" AS "id", "stream_id" AS "stream_id", "version" AS "version",
      "data" AS "data", NULL::bytea AS "bdata", "type" AS "type", "timestamp" AS "timestamp",
      "mt_dotnet_type" AS "mt_dotnet_type", "correlation_id" AS "correlation_id", "causation_id" AS "causation_id",
      "headers" AS "headers", "is_archived" AS "is_archived"
    FROM public."mt_events") e ORDER BY seq_id DESC LIMIT 1) AS head FROM (SELECT 1) one LEFT JOIN
      public.mt_doc_ordersummaryview s ON s.id = md5(:n::text)::uuid LIMIT 1) x) AS summary,
  (SELECT row_to_json(x) FROM (SELECT to_jsonb(t) AS row, t.xmin::text AS xmin
    FROM public."buyers" t
    WHERE t."id" = (SELECT o.buyer_id
    FROM public.orders o
    WHERE o.id = md5(:n::text)::uuid)) x) AS buyer_seen,
  (SELECT row_to_json(x) FROM (SELECT id, name, address_street, address_city, address_province
    FROM public.buyers b
    WHERE id = (SELECT o.buyer_id
    FROM public.orders o
    WHERE o.id = md5(:n::text)::uuid) LIMIT 1) x) AS buyer_row,
  (SELECT destination_address
    FROM public.outbox_message m ORDER BY sequence_number DESC LIMIT 1) AS destination, md5(:n::text)::uuid AS id
\gset
WITH w0 AS (UPDATE public."orders" AS t SET "status" = 2, "last_modified_at" = :at
    WHERE t."id" = :id AND t."status" = 0 AND t."is_deleted" = false
    RETURNING to_jsonb(t) AS stored),
w1 AS (UPDATE public."mt_streams" AS t SET "version" = 2, "timestamp" = :at
    WHERE t."id" = :id AND t."version" = 1 AND t."is_archived" = false
    RETURNING to_jsonb(t) AS stored),
w2 AS (INSERT INTO public."mt_doc_ordersummaryview" AS t ("id", "data", "mt_last_modified", "mt_dotnet_type",
  "mt_version")
    VALUES (:id, :document, :at, 'BookWorm.Ordering.Domain.Projections.OrderSummaryView', 2)
    ON CONFLICT ("id")
    DO UPDATE SET "data" = EXCLUDED."data", "mt_last_modified" = EXCLUDED."mt_last_modified",
      "mt_dotnet_type" = EXCLUDED."mt_dotnet_type", "mt_version" = EXCLUDED."mt_version"
    RETURNING to_jsonb(t) AS stored),
w3 AS (INSERT INTO public."outbox_state" AS t ("outbox_id", "lock_id", "created")
    VALUES (md5('outbox ' || :n)::uuid, '00000000-0000-0000-0000-000000000000', :at)
    RETURNING to_jsonb(t) AS stored),
w4 AS (INSERT INTO public."outbox_message" AS t ("sent_time", "headers", "properties", "inbox_message_id",
  "inbox_consumer_id", "outbox_id", "message_id", "content_type", "message_type", "body", "conversation_id",
  "initiator_id", "source_address", "destination_address")
    VALUES (:at, :activity, :properties, NULL, NULL, md5('outbox ' || :n)::uuid, md5('message ' || :n)::uuid,
      'application/vnd.masstransit+json', :message_type, :body, md5('conversation ' || :n)::uuid, NULL, :source,
      :address)
    RETURNING to_jsonb(t) AS stored)
    SELECT 0 AS place, stored FROM w0
    UNION ALL
    SELECT 1 AS place, stored FROM w1
    UNION ALL
    SELECT 2 AS place, stored FROM w2
    UNION ALL
    SELECT 3 AS place, stored FROM w3
    UNION ALL
    SELECT 4 AS place, stored FROM w4;
SELECT nextval('orderscope.audit_number') AS number, position, hash,
  session_user::text AS login FROM orderscope.audit_chains
    WHERE chain = md5('chain ' || :client_id / 2)::uuid FOR NO KEY UPDATE
\gset
WITH head AS (
    UPDATE orderscope.audit_chains SET position = (:position::bigint + 1), hash = sha256('next')
    WHERE chain = md5('chain ' || :client_id / 2)::uuid AND position = (:position::bigint + 1) - 1 AND hash = :hash
    RETURNING chain ),
entry AS (
    INSERT INTO orderscope.audit (number, chain, position, operation, at, operator, host, role, login, intent,
      targets, before_digest, after_digest, reason_digest, previous, hash)
    SELECT :number::bigint, head.chain, (:position::bigint + 1), md5('operation ' || :n)::uuid, :at, 'bench',
      'bench', 'bench', :login, 'CompleteOrder', ARRAY[:id], sha256('before'), sha256('after'), sha256('reason'),
      :hash, sha256('next') FROM head
    RETURNING number ),
parts AS (
    INSERT INTO orderscope.audit_values (number, part, salt, value) SELECT entry.number, given.part, given.salt,
      given.value FROM entry, unnest(ARRAY['before', 'after', 'reason']::text[], ARRAY[sha256('one'),
      sha256('two'), sha256('three')]::bytea[], ARRAY[:before, :after, 'bench']::text[]) AS given (part, salt,
      value) )
    SELECT number AS number FROM entry;
WITH w0 AS (INSERT INTO public."mt_events" AS t ("seq_id", "id", "stream_id", "version", "data", "type",
  "timestamp", "tenant_id", "mt_dotnet_type", "correlation_id", "causation_id", "headers", "is_archived")
    VALUES (nextval('public.mt_events_sequence'), md5('event ' || :n)::uuid, :id, 2, replace(:event, :template,
      :id)::jsonb, 'order_completed_event', :at, '*DEFAULT*', :dotnet, md5(:n::text), left(md5(:n::text), 16),
      :headers, false)
    RETURNING to_jsonb(t) AS stored)
    SELECT 0 AS place, stored FROM w0;
COMMIT;
