CREATE OR REPLACE FUNCTION fn_clock(p_namespace namespaces, p_real timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
  SELECT date_trunc('milliseconds', p_real + p_namespace.clock_offset)
$$;
COMMENT ON FUNCTION fn_clock IS
'The namespace''s time at a real instant, in whole milliseconds so that a client''s clock can hold it. Of a namespace read before, for readers; commands read it anew with fn_now.';
