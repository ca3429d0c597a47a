CREATE OR REPLACE FUNCTION api_rule_patch(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_credential ->> 'account');
  v_rule control_rules := fn_rule_of(p_credential, v_namespace, (p_request ->> 'rule_id')::uuid);
BEGIN
  UPDATE control_rules r SET
    limit_action_code = coalesce(p_request ->> 'action', r.limit_action_code),
    warn_at_percent = CASE WHEN p_request ? 'warn_at_percent' THEN (p_request ->> 'warn_at_percent')::numeric ELSE r.warn_at_percent END,
    overage_multiplier = CASE WHEN p_request ? 'overage_multiplier' THEN (p_request ->> 'overage_multiplier')::numeric ELSE r.overage_multiplier END,
    overage_cap = CASE WHEN p_request ? 'overage_cap' THEN (p_request ->> 'overage_cap')::numeric ELSE r.overage_cap END,
    grace_percent = CASE WHEN p_request ? 'grace_percent' THEN (p_request ->> 'grace_percent')::numeric ELSE r.grace_percent END,
    grace_seconds = CASE WHEN p_request ? 'grace_seconds' THEN (p_request ->> 'grace_seconds')::bigint ELSE r.grace_seconds END,
    on_error = coalesce(p_request ->> 'on_error', r.on_error)
  WHERE r.rule_id = v_rule.rule_id RETURNING r.* INTO v_rule;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such rule', 'rule_id');
  END IF;
  RETURN fn_rule_json(v_rule);
END $$;
COMMENT ON FUNCTION api_rule_patch IS 'PATCH /v1/rules/{id}: what the request leaves out stays.';
