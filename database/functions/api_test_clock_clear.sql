CREATE OR REPLACE FUNCTION api_test_clock_clear(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_sandbox_clock(p_credential);
BEGIN
  UPDATE namespaces n SET clock_offset = '0', config_version = n.config_version + 1 WHERE n.namespace_id = v_namespace.namespace_id;
  PERFORM fn_note(jsonb_build_object('namespace', v_namespace.namespace_id));
  RETURN jsonb_build_object('now', fn_rfc3339(fn_now(v_namespace.namespace_id)), 'frozen', false);
END $$;
COMMENT ON FUNCTION api_test_clock_clear IS 'DELETE /v1/test_clock: back to real time.';
