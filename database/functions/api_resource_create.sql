CREATE OR REPLACE FUNCTION api_resource_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
  v_type resource_types;
BEGIN
  IF NOT EXISTS (SELECT FROM unit_types u WHERE u.unit_code = p_request ->> 'unit'
                 AND (u.namespace_id = v_namespace.namespace_id OR u.namespace_id IS NULL)) THEN
    PERFORM fn_fail(400, 'invalid_parameter', format('unit %s is not known: create it with POST /v1/units', p_request -> 'unit'), 'unit');
  END IF;
  INSERT INTO resource_types (namespace_id, resource_type_code, resource_name, unit_code)
  SELECT v_namespace.namespace_id, p_request ->> 'resource', coalesce(p_request ->> 'name', p_request ->> 'resource'), p_request ->> 'unit'
  WHERE NOT EXISTS (SELECT FROM resource_types r WHERE r.resource_type_code = p_request ->> 'resource' AND r.namespace_id IS NULL)
  ON CONFLICT DO NOTHING;
  v_type := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  IF v_type.unit_code <> p_request ->> 'unit' OR v_type.resource_name <> coalesce(p_request ->> 'name', v_type.resource_name) THEN
    PERFORM fn_fail(409, 'already_exists', 'the resource exists, with another unit or name', 'resource');
  END IF;
  RETURN fn_resource_json(v_type);
END $$;
COMMENT ON FUNCTION api_resource_create IS 'POST /v1/resources: the same again is no error, a different one of the same code is ME409 already_exists.';
