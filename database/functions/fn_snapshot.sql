CREATE OR REPLACE FUNCTION fn_snapshot(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_now timestamptz, p_at timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_at timestamptz := coalesce(p_at, p_now);
  v_snapshot jsonb;
  v_key_version bigint;
  v_account record;
  v_view entitlement_view;
BEGIN
  SELECT s.key_version, CASE WHEN p_at IS NULL AND fn_continues(s.continuation, s.key_version, p_namespace.config_version, p_scope, p_now)
    THEN (s.continuation).snapshot || jsonb_build_object('as_of', fn_rfc3339(p_now)) END
  INTO v_key_version, v_snapshot
  FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
  IF v_snapshot IS NOT NULL THEN
    RETURN v_snapshot;
  END IF;
  SELECT a.timezone, a.status INTO v_account FROM accounts a WHERE a.account_id = p_account_id;
  v_view := fn_entitlement_view(p_account_id, p_resource, p_scope, coalesce(v_account.timezone, 'UTC'), p_now, v_at, p_at IS NOT NULL);
  RETURN fn_snapshot_of(p_namespace, p_account_id, p_resource, p_scope, coalesce(v_account.status = 'suspended', false),
    fn_limit_states(v_view.states, p_namespace.namespace_id, p_account_id, p_resource, v_at), v_view.others, coalesce(v_key_version, 0), v_at);
END $$;
COMMENT ON FUNCTION fn_snapshot IS
'The snapshot (database/README.md) of one (account, resource, scope): the decision for every quantity and purpose. p_now: the namespace''s time; p_at: decide as of that instant instead, past or future. What the last consume left is taken up, if it still holds. Changes and locks nothing.';
