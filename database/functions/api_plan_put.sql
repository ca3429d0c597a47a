CREATE OR REPLACE FUNCTION api_plan_put(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
  v_now timestamptz := fn_now(v_namespace.namespace_id);
  v_plan plans;
  v_template jsonb;
  v_index int := 0;
  v_before jsonb;
  v_version int;
  v_created boolean;
  v_message text;
  v_detail text;
BEGIN
  IF coalesce((p_request ->> 'is_trial')::boolean, false) AND p_request ->> 'trial_days' IS NULL THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'a trial needs trial_days', 'trial_days');
  END IF;
  INSERT INTO plans (namespace_id, plan_id, plan_name, status, is_trial, trial_days, external_id, created_at, updated_at)
  VALUES (v_namespace.namespace_id, p_request ->> 'plan_id', p_request ->> 'name', coalesce(p_request ->> 'status', 'active'),
    coalesce((p_request ->> 'is_trial')::boolean, false), (p_request ->> 'trial_days')::int, p_request ->> 'external_id', v_now, v_now)
  ON CONFLICT DO NOTHING;
  v_created := FOUND;
  -- One change of a plan at a time.
  SELECT p.* INTO v_plan FROM plans p
  WHERE p.namespace_id = v_namespace.namespace_id AND p.plan_id = p_request ->> 'plan_id' FOR UPDATE;
  IF p_request ? 'entitlements' THEN
    v_before := fn_plan_templates(v_plan.namespace_id, v_plan.plan_id, v_plan.current_version);
    -- A new plan's grants are its first version.
    v_version := v_plan.current_version + (NOT v_created)::int;
    BEGIN
      -- Written as the next version, then compared: the trigger has given both their defaults.
      INSERT INTO plan_versions (namespace_id, plan_id, plan_version, created_at)
      VALUES (v_plan.namespace_id, v_plan.plan_id, v_version, v_now) ON CONFLICT DO NOTHING;
      FOR v_template IN SELECT t FROM jsonb_array_elements(p_request -> 'entitlements') t LOOP
        IF EXISTS (SELECT FROM fn_template_rows(v_plan, v_version, v_template) r
                   JOIN plan_entitlement_templates t ON t.namespace_id = r.namespace_id AND t.plan_id = r.plan_id AND t.plan_version = r.plan_version
                     AND t.resource_type_code = r.resource_type_code AND t.resource_scope IS NOT DISTINCT FROM r.resource_scope
                     AND t.limit_kind_code = r.limit_kind_code AND t.priority = r.priority
                     AND t.window_type_code IS NOT DISTINCT FROM r.window_type_code) THEN
          PERFORM fn_fail(400, 'invalid_parameter', 'the same resource, scope, limit_kind, window and priority twice');
        END IF;
        INSERT INTO plan_entitlement_templates SELECT * FROM fn_template_rows(v_plan, v_version, v_template);
        v_index := v_index + 1;
      END LOOP;
      IF NOT v_created AND fn_plan_templates(v_plan.namespace_id, v_plan.plan_id, v_version) = v_before THEN
        RAISE EXCEPTION 'unchanged' USING ERRCODE = 'ME304';
      END IF;
      v_plan.current_version := v_version;
    EXCEPTION WHEN SQLSTATE 'ME304' THEN
      -- Undone, not deleted: a version that never was is not in the audit trail either.
      NULL;
    WHEN SQLSTATE 'ME400' THEN
      -- The trigger knows the row and its column, not which of the request's entitlements it is.
      GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL;
      PERFORM fn_fail(400, v_detail::jsonb ->> 'code', v_message, concat_ws('.', 'entitlements', v_index, v_detail::jsonb ->> 'param'));
    END;
  END IF;
  UPDATE plans p SET plan_name = p_request ->> 'name', status = coalesce(p_request ->> 'status', 'active'),
    is_trial = coalesce((p_request ->> 'is_trial')::boolean, false), trial_days = (p_request ->> 'trial_days')::int,
    external_id = p_request ->> 'external_id', current_version = v_plan.current_version, updated_at = v_now
  WHERE p.namespace_id = v_plan.namespace_id AND p.plan_id = v_plan.plan_id RETURNING p.* INTO v_plan;
  RETURN fn_plan_json(v_plan, v_plan.current_version);
END $$;
COMMENT ON FUNCTION api_plan_put IS
'PUT /v1/plans/{plan_id}: creates or replaces; a new version when what it grants changes, else the same one.';
