CREATE OR REPLACE FUNCTION api_plan_versions(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_cursor text[] := fn_cursor(p_request, '{int}');
  v_plan plans;
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT p.* INTO v_plan FROM plans p WHERE p.namespace_id = v_namespace.namespace_id AND p.plan_id = p_request ->> 'plan_id';
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such plan', 'plan_id');
  END IF;
  SELECT array_agg(fn_plan_json(v_plan, p.plan_version) ORDER BY p.plan_version DESC), array_agg(jsonb_build_array(p.plan_version) ORDER BY p.plan_version DESC)
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM plan_versions p WHERE p.namespace_id = v_plan.namespace_id AND p.plan_id = v_plan.plan_id
      AND (v_cursor IS NULL OR p.plan_version < v_cursor[1]::int)
    ORDER BY p.plan_version DESC LIMIT fn_page_limit(p_request) + 1
  ) p;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_plan_versions IS 'GET /v1/plans/{plan_id}/versions: newest first.';
