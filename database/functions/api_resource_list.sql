CREATE OR REPLACE FUNCTION api_resource_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_cursor text[] := fn_cursor(p_request, '{text}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT array_agg(fn_resource_json(r::resource_types) ORDER BY r.resource_type_code COLLATE "C"),
         array_agg(jsonb_build_array(r.resource_type_code) ORDER BY r.resource_type_code COLLATE "C")
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM resource_types r
    WHERE (r.namespace_id = v_namespace.namespace_id OR r.namespace_id IS NULL)
      AND (v_cursor IS NULL OR r.resource_type_code COLLATE "C" > v_cursor[1])
    ORDER BY r.resource_type_code COLLATE "C" LIMIT fn_page_limit(p_request) + 1
  ) r;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_resource_list IS 'GET /v1/resources: those known to the namespace, by code.';
