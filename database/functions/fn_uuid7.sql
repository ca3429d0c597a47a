CREATE OR REPLACE FUNCTION fn_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE AS $$
  SELECT encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
      52, 1), 53, 1), 'hex')::uuid
$$;
COMMENT ON FUNCTION fn_uuid7 IS
'A time-ordered UUID (RFC 9562, version 7), from real time: new rows go to the right edge of their index.';
