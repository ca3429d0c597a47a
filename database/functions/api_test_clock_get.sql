CREATE OR REPLACE FUNCTION api_test_clock_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_sandbox_clock(p_credential);
BEGIN
  RETURN jsonb_build_object('now', fn_rfc3339(fn_now(v_namespace.namespace_id)), 'frozen', false);
END $$;
COMMENT ON FUNCTION api_test_clock_get IS 'GET /v1/test_clock: the namespace''s time.';
