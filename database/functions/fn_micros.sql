CREATE OR REPLACE FUNCTION fn_micros(p_instant timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT trim_scale(extract(epoch FROM p_instant) * 1000000)::text
$$;
COMMENT ON FUNCTION fn_micros IS 'An instant in the canonical form of the hash chains: microseconds since 1970, Infinity or -Infinity. Null for null.';
