CREATE OR REPLACE FUNCTION api_ledger_heads(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
  v_cursor text[] := fn_cursor(p_request, '{bigint}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT array_agg(fn_head_json(h) ORDER BY h.head_number), array_agg(jsonb_build_array(h.head_number::text) ORDER BY h.head_number)
  INTO v_rows, v_keys
  FROM (
    SELECT h.* FROM signed_heads h
    WHERE h.namespace_id = v_namespace.namespace_id
      AND h.head_number > greatest((p_request ->> 'after')::bigint, v_cursor[1]::bigint, 0)
    ORDER BY h.head_number LIMIT fn_page_limit(p_request) + 1
  ) h;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_ledger_heads IS 'GET /v1/ledger/heads: the signed heads of the namespace, oldest first, from after the number `after` on.';
