CREATE OR REPLACE FUNCTION fn_control_rule(p_namespace_id text, p_account_id uuid, p_resource text, p_limit_kind text, p_plan_ids text[])
RETURNS SETOF control_rules
LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT * FROM (
    SELECT * FROM control_rules r
    WHERE r.namespace_id = p_namespace_id AND r.resource_type_code = p_resource AND r.account_id = p_account_id
      AND r.limit_kind_code = p_limit_kind AND (r.plan_id IS NULL OR r.plan_id = ANY (p_plan_ids))
    UNION ALL
    SELECT * FROM control_rules r
    WHERE r.namespace_id = p_namespace_id AND r.resource_type_code = p_resource AND r.account_id IS NULL
      AND r.limit_kind_code = p_limit_kind AND (r.plan_id IS NULL OR r.plan_id = ANY (p_plan_ids))
  ) r
  ORDER BY r.account_id NULLS LAST, r.plan_id IS NULL, r.rule_number DESC
  LIMIT 1
$$;
COMMENT ON FUNCTION fn_control_rule IS
'The rule that decides at a limit: the account''s, then one of the given plans'', then the resource''s; among equals the newest. No row: block, no warning, on_error deny.';
