CREATE OR REPLACE FUNCTION fn_require_unit(p_namespace_id text, p_unit text, p_resource_unit text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF fn_convert_quantity(p_namespace_id, 1, p_unit, p_resource_unit) IS NULL THEN
    PERFORM fn_fail(400, 'unit_mismatch', format('unit %s cannot be converted to %s, the unit of the resource', to_json(p_unit), p_resource_unit), 'unit');
  END IF;
END $$;
COMMENT ON FUNCTION fn_require_unit IS 'ME400 unit_mismatch unless the unit converts to the resource''s.';
