CREATE OR REPLACE FUNCTION api_unit_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_cursor text[] := fn_cursor(p_request, '{text}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT array_agg(fn_unit_json(u::unit_types) ORDER BY u.unit_code COLLATE "C"), array_agg(jsonb_build_array(u.unit_code) ORDER BY u.unit_code COLLATE "C")
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM unit_types u
    WHERE (u.namespace_id = v_namespace.namespace_id OR u.namespace_id IS NULL)
      AND (v_cursor IS NULL OR u.unit_code COLLATE "C" > v_cursor[1])
    ORDER BY u.unit_code COLLATE "C" LIMIT fn_page_limit(p_request) + 1
  ) u;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_unit_list IS 'GET /v1/units: those known to the namespace, by code.';
