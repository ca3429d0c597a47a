CREATE OR REPLACE FUNCTION fn_number(p_quantity numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE WHEN p_quantity < 'Infinity' THEN trim_scale(p_quantity) END;
END $$;
COMMENT ON FUNCTION fn_number IS
'A quantity as answers show it: no trailing zeros, null for unlimited (''Infinity'').';
