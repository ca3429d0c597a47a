CREATE OR REPLACE FUNCTION api_test_clock_set(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_sandbox_clock(p_credential);
  v_now timestamptz := fn_now(v_namespace.namespace_id);
  v_target timestamptz := coalesce((p_request ->> 'now')::timestamptz, v_now + make_interval(secs => (p_request ->> 'advance_seconds')::numeric));
BEGIN
  IF v_target < v_now OR v_target > clock_timestamp() + interval '100 years' THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'the clock moves forward only, and at most 100 years ahead of real time',
      CASE WHEN p_request ->> 'now' IS NULL THEN 'advance_seconds' ELSE 'now' END);
  END IF;
  UPDATE namespaces n SET clock_offset = make_interval(secs => extract(epoch FROM v_target - clock_timestamp())), config_version = n.config_version + 1
  WHERE n.namespace_id = v_namespace.namespace_id;
  PERFORM fn_note(jsonb_build_object('namespace', v_namespace.namespace_id));
  RETURN jsonb_build_object('now', fn_rfc3339(v_target), 'frozen', false);
END $$;
COMMENT ON FUNCTION api_test_clock_set IS 'POST /v1/test_clock: moves the namespace''s time forward; it runs on at normal speed.';
