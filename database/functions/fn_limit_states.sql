CREATE OR REPLACE FUNCTION fn_limit_states(
  p_states entitlement_state[], p_namespace_id text, p_account_id uuid, p_resource text, p_at timestamptz
) RETURNS limit_state[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN fn_limits(p_states, fn_rules(p_namespace_id, p_account_id, p_resource, ARRAY(SELECT s.plan_id FROM unnest(p_states) s)), p_account_id, p_resource, p_at);
END $$;
COMMENT ON FUNCTION fn_limit_states IS 'fn_limits with the rules as they are.';
