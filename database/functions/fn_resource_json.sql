CREATE OR REPLACE FUNCTION fn_resource_json(p_type resource_types) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('resource', p_type.resource_type_code, 'unit', p_type.unit_code, 'name', p_type.resource_name)
$$;
COMMENT ON FUNCTION fn_resource_json IS 'A resource as answers show it.';
