CREATE OR REPLACE FUNCTION api_plan_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_plan plans;
  v_version int;
BEGIN
  SELECT p.* INTO v_plan FROM plans p WHERE p.namespace_id = v_namespace.namespace_id AND p.plan_id = p_request ->> 'plan_id';
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such plan', 'plan_id');
  END IF;
  v_version := coalesce((p_request ->> 'version')::int, v_plan.current_version);
  IF NOT EXISTS (SELECT FROM plan_versions p WHERE p.namespace_id = v_plan.namespace_id AND p.plan_id = v_plan.plan_id AND p.plan_version = v_version) THEN
    PERFORM fn_fail(404, 'not_found', 'the plan has no such version', 'version');
  END IF;
  RETURN fn_plan_json(v_plan, v_version);
END $$;
COMMENT ON FUNCTION api_plan_get IS 'GET /v1/plans/{plan_id}: the current version, or the one asked for.';
