CREATE OR REPLACE FUNCTION fn_plan_json(p_plan plans, p_version int) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN jsonb_build_object(
    'plan_id', p_plan.plan_id, 'version', p_version, 'name', p_plan.plan_name, 'status', p_plan.status,
    'is_trial', p_plan.is_trial, 'trial_days', p_plan.trial_days, 'external_id', p_plan.external_id,
    'entitlements', fn_plan_templates(p_plan.namespace_id, p_plan.plan_id, p_version),
    'created_at', fn_rfc3339(p_plan.created_at), 'updated_at', fn_rfc3339(p_plan.updated_at));
END $$;
COMMENT ON FUNCTION fn_plan_json IS 'A plan as answers show it, with what one of its versions grants.';
