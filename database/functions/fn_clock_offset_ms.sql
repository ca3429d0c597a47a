CREATE OR REPLACE FUNCTION fn_clock_offset_ms(p_namespace namespaces) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT round(extract(epoch FROM p_namespace.clock_offset) * 1000)::bigint
$$;
COMMENT ON FUNCTION fn_clock_offset_ms IS 'How far the namespace''s clock is ahead of real time.';
