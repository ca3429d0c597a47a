CREATE OR REPLACE FUNCTION fn_now(p_namespace_id text, p_real timestamptz DEFAULT clock_timestamp()) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (SELECT fn_clock(n, p_real) FROM namespaces n WHERE n.namespace_id = p_namespace_id);
END $$;
COMMENT ON FUNCTION fn_now IS
'The namespace''s time, in whole milliseconds so that a client''s clock can hold it: the only clock. Commands read it once, after their lock; readers pass statement_timestamp(). Null for an unknown namespace.';
