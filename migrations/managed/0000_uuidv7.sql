-- The document's defaults call uuidv7(), which PostgreSQL has since 18: older servers get one.
-- Layout of RFC 9562: 48 bits of milliseconds, version 7, 12 bits of the fraction of the millisecond
-- (method 3, as PostgreSQL 18 does it, so that ids of one session sort by creation), variant, random.
DO $migration$
BEGIN
    IF current_setting('server_version_num')::int < 180000 AND to_regprocedure('public.uuidv7()') IS NULL THEN
        CREATE FUNCTION public.uuidv7() RETURNS uuid
        LANGUAGE sql VOLATILE PARALLEL SAFE
        RETURN (
            SELECT encode(
                       substring(int8send(us / 1000) FROM 3)
                       || substring(int4send(28672 + ((us % 1000) * 4096 / 1000)::int) FROM 3)
                       || substring(uuid_send(gen_random_uuid()) FROM 9),
                       'hex')::uuid
            FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us) AS clock
        );
        COMMENT ON FUNCTION public.uuidv7() IS
            'Made by Orderscope: PostgreSQL has had its own since version 18.';
    END IF;
END
$migration$;
