CREATE OR REPLACE FUNCTION fn_from_millionths(p_millionths text) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
  SELECT trim_scale(p_millionths::numeric / 1000000)
$$;
COMMENT ON FUNCTION fn_from_millionths IS 'The quantity of whole millionths; null for null (unlimited).';
