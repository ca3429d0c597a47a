CREATE OR REPLACE FUNCTION fn_snapshot(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_now timestamptz, p_at timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_at timestamptz := coalesce(p_at, p_now);
  v_account record;
  v_view entitlement_view;
BEGIN
  SELECT a.timezone, a.status, s.key_version INTO v_account
  FROM accounts a LEFT JOIN resource_state s ON s.account_id = a.account_id AND s.resource_type_code = p_resource
  WHERE a.account_id = p_account_id;
  v_view := fn_entitlement_view(p_account_id, p_resource, p_scope, coalesce(v_account.timezone, 'UTC'), p_now, v_at, p_at IS NOT NULL);
  RETURN fn_snapshot_of(p_namespace, p_account_id, p_resource, p_scope, coalesce(v_account.status = 'suspended', false),
    fn_limit_states(v_view.states, p_namespace.namespace_id, p_account_id, p_resource, v_at), v_view.others, coalesce(v_account.key_version, 0), v_at);
END $$;
COMMENT ON FUNCTION fn_snapshot IS
'The snapshot (database/README.md) of one (account, resource, scope): the decision for every quantity and purpose. p_now: the namespace''s time; p_at: decide as of that instant instead, past or future. Changes and locks nothing.';
