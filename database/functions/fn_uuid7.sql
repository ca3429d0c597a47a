CREATE OR REPLACE FUNCTION fn_uuid7() RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_micros bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
  -- The first 64 bits; the last ones, with their variant, are those of a random UUID.
  RETURN encode(overlay(uuid_send(gen_random_uuid())
    PLACING int8send(v_micros / 1000 << 16 | 28672 | v_micros % 1000 * 4096 / 1000) FROM 1 FOR 8), 'hex');
END $$;
COMMENT ON FUNCTION fn_uuid7 IS
'A time-ordered UUID (RFC 9562, version 7, with a fraction of the millisecond), from real time: new rows go to the right edge of their index, and sort as they were made.';
