CREATE OR REPLACE FUNCTION fn_decide(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_now timestamptz, p_at timestamptz, p_quantity numeric, p_purpose text
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_at timestamptz := coalesce(p_at, p_now);
  v_account accounts;
  v_limits limit_state[];
  v_suspended boolean;
BEGIN
  SELECT a.* INTO v_account FROM accounts a WHERE a.account_id = p_account_id;
  v_suspended := coalesce(v_account.status = 'suspended', false);
  v_limits := fn_limit_states(
    fn_entitlement_states(p_account_id, p_resource, p_scope, coalesce(v_account.timezone, 'UTC'), p_now, v_at, p_at IS NOT NULL),
    p_namespace.namespace_id, p_account_id, p_resource, v_at);
  RETURN fn_decision(v_limits, fn_verdicts(v_limits, v_suspended, p_quantity, p_purpose), v_suspended,
    p_account_id, p_resource, p_scope, p_quantity, p_purpose, v_at);
END $$;
COMMENT ON FUNCTION fn_decide IS
'The decision for a quantity (in the resource''s unit) and a purpose: any, consume, lease, assign. p_now: the namespace''s time; p_at: as of that instant instead. Changes and locks nothing.';
