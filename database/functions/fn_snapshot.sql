CREATE OR REPLACE FUNCTION fn_snapshot(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_now timestamptz, p_at timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_at timestamptz := coalesce(p_at, p_now);
  v_account record;
  v_view entitlement_view;
BEGIN
  SELECT a.timezone, a.status, s.key_version, s.continuation INTO v_account
  FROM accounts a LEFT JOIN resource_state s ON s.account_id = a.account_id AND s.resource_type_code = p_resource
  WHERE a.account_id = p_account_id;
  IF p_at IS NULL AND fn_continues(v_account.continuation, v_account.key_version, p_namespace.config_version, p_scope, p_now) THEN
    RETURN (v_account.continuation).snapshot || jsonb_build_object('as_of', fn_rfc3339(p_now));
  END IF;
  v_view := fn_entitlement_view(p_account_id, p_resource, p_scope, coalesce(v_account.timezone, 'UTC'), p_now, v_at, p_at IS NOT NULL);
  RETURN fn_snapshot_of(p_namespace, p_account_id, p_resource, p_scope, coalesce(v_account.status = 'suspended', false),
    fn_limit_states(v_view.states, p_namespace.namespace_id, p_account_id, p_resource, v_at), v_view.others, coalesce(v_account.key_version, 0), v_at);
END $$;
COMMENT ON FUNCTION fn_snapshot IS
'The snapshot (database/README.md) of one (account, resource, scope): the decision for every quantity and purpose. p_now: the namespace''s time; p_at: decide as of that instant instead, past or future. What the last consume left is taken up, if it still holds. Changes and locks nothing.';
