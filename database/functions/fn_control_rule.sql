CREATE OR REPLACE FUNCTION fn_control_rule(p_namespace_id text, p_account_id uuid, p_resource text, p_limit_kind text, p_plan_ids text[])
RETURNS control_rules
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_rule control_rules;
BEGIN
  SELECT * INTO v_rule FROM control_rules r
  WHERE r.namespace_id = p_namespace_id AND r.resource_type_code = p_resource
    AND r.account_key IN (p_account_id, '00000000-0000-0000-0000-000000000000')
    AND r.limit_kind_code = p_limit_kind AND (r.plan_id IS NULL OR r.plan_id = ANY (p_plan_ids))
  ORDER BY r.account_id IS NULL, r.plan_id IS NULL, r.rule_number DESC LIMIT 1;
  RETURN v_rule;
END $$;
COMMENT ON FUNCTION fn_control_rule IS
'The rule that decides at a limit: the account''s, then one of the given plans'', then the resource''s; among equals the newest. Null: block, no warning, on_error deny.';
