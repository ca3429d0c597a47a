CREATE OR REPLACE FUNCTION fn_uuid7() RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_micros bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
  -- The last 64 bits, with their variant, are those of a random UUID.
  RETURN lpad(to_hex(v_micros / 1000), 12, '0') || '7' || lpad(to_hex(v_micros % 1000 * 4096 / 1000), 3, '0')
    || right(replace(gen_random_uuid()::text, '-', ''), 16);
END $$;
COMMENT ON FUNCTION fn_uuid7 IS
'A time-ordered UUID (RFC 9562, version 7, with a fraction of the millisecond), from real time: new rows go to the right edge of their index, and sort as they were made.';
