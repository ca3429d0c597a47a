CREATE OR REPLACE FUNCTION api_plan_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_cursor text[] := fn_cursor(p_request, '{text}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT array_agg(fn_plan_json(p, p.current_version) ORDER BY p.plan_id COLLATE "C"), array_agg(jsonb_build_array(p.plan_id) ORDER BY p.plan_id COLLATE "C")
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM plans p WHERE p.namespace_id = v_namespace.namespace_id AND (v_cursor IS NULL OR p.plan_id COLLATE "C" > v_cursor[1])
    ORDER BY p.plan_id COLLATE "C" LIMIT fn_page_limit(p_request) + 1
  ) p;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_plan_list IS 'GET /v1/plans: by plan_id.';
