CREATE OR REPLACE FUNCTION fn_quarter(p_at timestamptz) RETURNS int
LANGUAGE sql STABLE AS $$
  SELECT (1 + floor(extract(epoch FROM p_at))::bigint % 86400 / 900)::int
$$;
COMMENT ON FUNCTION fn_quarter IS 'The quarter of an hour of an instant, 1 to 96 of its UTC day.';
