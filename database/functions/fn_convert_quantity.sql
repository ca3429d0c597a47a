CREATE OR REPLACE FUNCTION fn_convert_quantity(p_namespace_id text, p_quantity numeric, p_from text, p_to text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_from unit_types;
  v_to unit_types;
BEGIN
  IF p_from = p_to THEN
    RETURN p_quantity;
  END IF;
  SELECT u.* INTO v_from FROM unit_types u WHERE u.unit_code = p_from AND (u.namespace_id = p_namespace_id OR u.namespace_id IS NULL)
  ORDER BY u.namespace_id NULLS LAST LIMIT 1;
  SELECT u.* INTO v_to FROM unit_types u WHERE u.unit_code = p_to AND (u.namespace_id = p_namespace_id OR u.namespace_id IS NULL)
  ORDER BY u.namespace_id NULLS LAST LIMIT 1;
  IF v_from.dimension IS DISTINCT FROM v_to.dimension OR v_from.dimension IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN round(p_quantity * v_from.factor / v_to.factor, 6);
END $$;
COMMENT ON FUNCTION fn_convert_quantity IS
'A quantity in another unit of the same dimension, rounded half up to 6 decimals. Null: the units are not of one dimension, or unknown.';
