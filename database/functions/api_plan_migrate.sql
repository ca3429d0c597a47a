CREATE OR REPLACE FUNCTION api_plan_migrate(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
  v_cursor text[] := fn_cursor(p_request, '{uuid}');
  v_limit int := fn_page_limit(p_request);
  v_dry_run boolean := coalesce((p_request ->> 'dry_run')::boolean, false);
  v_plan plans;
  v_ids uuid[];
  v_keys jsonb[];
  v_results jsonb;
BEGIN
  SELECT p.* INTO v_plan FROM plans p WHERE p.namespace_id = v_namespace.namespace_id AND p.plan_id = p_request ->> 'plan_id';
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such plan', 'plan_id');
  END IF;
  IF v_plan.status = 'draft' THEN
    PERFORM fn_fail(409, 'plan_not_active', format('plan %s is draft: nobody is moved to its newest version yet', to_json(v_plan.plan_id)), 'plan_id');
  END IF;
  v_ids := fn_plan_outdated(v_plan, coalesce(v_cursor[1]::uuid, '00000000-0000-0000-0000-000000000000'), fn_now(v_namespace.namespace_id), v_limit + 1);
  IF NOT v_dry_run THEN
    PERFORM fn_subscriptions_lock(v_ids[1:v_limit], v_plan.plan_id);
  END IF;
  v_results := fn_plan_migrate(v_plan, v_ids[1:v_limit], coalesce(p_request ->> 'when', 'now'), fn_now(v_namespace.namespace_id), v_dry_run);
  v_keys := ARRAY(SELECT jsonb_build_array(i) FROM unnest(v_ids) i);
  RETURN fn_page(p_request, v_keys, v_keys) || jsonb_build_object(
    'plan_id', v_plan.plan_id, 'version', v_plan.current_version, 'dry_run', v_dry_run,
    'migrated', (SELECT count(*) FROM jsonb_array_elements(v_results) r WHERE r ->> 'result' = 'migrated'),
    'skipped', (SELECT count(*) FROM jsonb_array_elements(v_results) r WHERE r ->> 'result' = 'skipped'),
    'data', v_results);
END $$;
COMMENT ON FUNCTION api_plan_migrate IS
'POST /v1/plans/{plan_id}/migrate: moves the next subscriptions that are on an older version to the newest, at most limit of them, in one transaction; with dry_run says only what it would do.';
