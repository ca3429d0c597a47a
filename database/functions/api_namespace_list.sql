CREATE OR REPLACE FUNCTION api_namespace_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_cursor text[] := fn_cursor(p_request, '{text}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  PERFORM fn_authorize_operator(p_credential);
  SELECT array_agg(fn_namespace_json(n::namespaces) ORDER BY n.namespace_id COLLATE "C"),
         array_agg(jsonb_build_array(n.namespace_id) ORDER BY n.namespace_id COLLATE "C")
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM namespaces n WHERE v_cursor IS NULL OR n.namespace_id COLLATE "C" > v_cursor[1]
    ORDER BY n.namespace_id COLLATE "C" LIMIT fn_page_limit(p_request) + 1
  ) n;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_namespace_list IS 'GET /v1/namespaces: by name.';
