CREATE OR REPLACE FUNCTION api_unit_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
  v_unit unit_types;
BEGIN
  INSERT INTO unit_types (namespace_id, unit_code, dimension, factor)
  SELECT v_namespace.namespace_id, p_request ->> 'unit', p_request ->> 'dimension', (p_request ->> 'factor')::numeric
  WHERE NOT EXISTS (SELECT FROM unit_types u WHERE u.unit_code = p_request ->> 'unit' AND u.namespace_id IS NULL)
  ON CONFLICT DO NOTHING;
  SELECT u.* INTO v_unit FROM unit_types u
  WHERE u.unit_code = p_request ->> 'unit' AND (u.namespace_id = v_namespace.namespace_id OR u.namespace_id IS NULL)
  ORDER BY u.namespace_id NULLS LAST LIMIT 1;
  IF v_unit.dimension <> p_request ->> 'dimension' OR v_unit.factor <> (p_request ->> 'factor')::numeric THEN
    PERFORM fn_fail(409, 'already_exists', 'the unit exists, with another dimension or factor', 'unit');
  END IF;
  RETURN fn_unit_json(v_unit);
END $$;
COMMENT ON FUNCTION api_unit_create IS 'POST /v1/units: the same again is no error, a different one of the same code is ME409 already_exists.';
