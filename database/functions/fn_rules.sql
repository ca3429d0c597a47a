CREATE OR REPLACE FUNCTION fn_rules(p_namespace_id text, p_account_id uuid, p_resource text, p_plan_ids text[]) RETURNS control_rules[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT array_agg(r ORDER BY r.account_id IS NULL, r.plan_id IS NULL, r.rule_number DESC) FROM control_rules r
    WHERE r.namespace_id = p_namespace_id AND r.resource_type_code = p_resource
      AND r.account_key IN (p_account_id, '00000000-0000-0000-0000-000000000000')
      AND (r.plan_id IS NULL OR r.plan_id = ANY (p_plan_ids))
  );
END $$;
COMMENT ON FUNCTION fn_rules IS
'The rules that may decide for an (account, resource) under the given plans, of all limit kinds, by precedence: the account''s, then a plan''s, then the resource''s; among equals the newest. Null: none.';
