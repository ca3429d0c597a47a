CREATE OR REPLACE FUNCTION fn_rule_json(p_rule control_rules) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN jsonb_build_object(
    'rule_id', p_rule.rule_id, 'resource', p_rule.resource_type_code, 'limit_kind', p_rule.limit_kind_code,
    'account_id', fn_account_label(p_rule.account_id), 'plan_id', p_rule.plan_id, 'action', p_rule.limit_action_code,
    'warn_at_percent', fn_number(p_rule.warn_at_percent), 'overage_multiplier', fn_number(p_rule.overage_multiplier),
    'overage_cap', fn_number(p_rule.overage_cap), 'grace_percent', fn_number(p_rule.grace_percent),
    'grace_seconds', p_rule.grace_seconds, 'on_error', p_rule.on_error, 'created_at', fn_rfc3339(p_rule.created_at));
END $$;
COMMENT ON FUNCTION fn_rule_json IS 'A rule as answers show it.';
