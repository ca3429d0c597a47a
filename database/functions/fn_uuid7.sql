CREATE OR REPLACE FUNCTION fn_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE AS $$
  -- The time in 4096ths of a millisecond is 12 + 3 hex digits, around the version; variant and rest are a random UUID's.
  SELECT (overlay(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
    || right(gen_random_uuid()::text, 17))::uuid
$$;
COMMENT ON FUNCTION fn_uuid7 IS
'A time-ordered UUID (RFC 9562, version 7, with a fraction of the millisecond), from real time: new rows go to the right edge of their index, and sort as they were made.';
