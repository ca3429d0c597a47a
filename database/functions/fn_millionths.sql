CREATE OR REPLACE FUNCTION fn_millionths(p_quantity numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE WHEN p_quantity < 'Infinity' THEN trunc(p_quantity * 1000000)::text END;
END $$;
COMMENT ON FUNCTION fn_millionths IS
'A quantity as snapshots hold it: whole millionths, toward zero; null for unlimited (''Infinity'').';
