CREATE OR REPLACE FUNCTION api_key_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', NULL);
  v_cursor text[] := fn_cursor(p_request, '{timestamptz,uuid}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT array_agg(fn_key_json(k::api_keys) ORDER BY k.created_at DESC, k.key_id DESC),
         array_agg(jsonb_build_array(k.created_at, k.key_id) ORDER BY k.created_at DESC, k.key_id DESC)
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM api_keys k
    WHERE k.namespace_id = v_namespace.namespace_id
      AND (v_cursor IS NULL OR (k.created_at, k.key_id) < (v_cursor[1]::timestamptz, v_cursor[2]::uuid))
    ORDER BY k.created_at DESC, k.key_id DESC LIMIT fn_page_limit(p_request) + 1
  ) k;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_key_list IS 'GET /v1/keys: newest first.';
