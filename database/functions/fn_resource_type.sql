CREATE OR REPLACE FUNCTION fn_resource_type(p_namespace_id text, p_resource text, p_param text DEFAULT 'resource') RETURNS resource_types
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_type resource_types;
BEGIN
  SELECT r.* INTO v_type FROM resource_types r
  WHERE r.resource_type_code = p_resource AND (r.namespace_id = p_namespace_id OR r.namespace_id IS NULL)
  ORDER BY r.namespace_id NULLS LAST LIMIT 1;
  IF NOT FOUND THEN
    PERFORM fn_fail(400, 'unknown_resource', format('resource %s is not known: create it with POST /v1/resources', to_json(p_resource)), p_param);
  END IF;
  RETURN v_type;
END $$;
COMMENT ON FUNCTION fn_resource_type IS
'The look-up row of a resource known to the namespace, its own before one of all namespaces. ME400 unknown_resource.';
