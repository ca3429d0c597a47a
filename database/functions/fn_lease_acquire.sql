CREATE OR REPLACE FUNCTION fn_lease_acquire(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_holder text, p_ttl_seconds int, p_units int, p_metadata jsonb
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_expires_at timestamptz;
  v_account accounts;
  v_lease concurrency_leases;
  v_renewed boolean := false;
  v_states entitlement_state[];
  v_limits limit_state[];
  v_verdicts limit_verdict[];
  v_suspended boolean;
BEGIN
  IF NOT fn_lock_resource(p_account_id, p_resource, false) THEN
    RETURN fn_decide(p_namespace, p_account_id, p_resource, p_scope, fn_now(p_namespace.namespace_id), NULL, p_units, 'lease')
      || '{"lease_id":null,"renewed":false}';
  END IF;
  v_now := fn_now(p_namespace.namespace_id);
  v_expires_at := v_now + make_interval(secs => p_ttl_seconds);
  SELECT a.* INTO v_account FROM accounts a WHERE a.account_id = p_account_id;
  v_suspended := v_account.status = 'suspended';
  -- The holder's own seat is not asked for twice: only what it wants beyond it.
  SELECT l.* INTO v_lease FROM concurrency_leases l
  WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.resource_scope IS NOT DISTINCT FROM p_scope
    AND l.holder = p_holder AND l.ended_at IS NULL AND l.expires_at > v_now;
  v_renewed := FOUND;
  v_states := fn_entitlement_states(p_account_id, p_resource, p_scope, v_account.timezone, v_now, v_now, false);
  v_limits := fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, p_resource, v_now);
  v_verdicts := fn_verdicts(v_limits, v_suspended, greatest(p_units - coalesce(v_lease.units, 0), 0), 'lease');
  IF NOT fn_allowed(v_verdicts) THEN
    RETURN fn_decision(v_limits, v_verdicts, v_suspended, p_account_id, p_resource, p_scope, p_units, 'lease', v_now)
      || '{"lease_id":null,"renewed":false}';
  END IF;
  PERFORM fn_leases_mark_expired(p_account_id, p_resource, v_now);
  IF v_renewed THEN
    UPDATE concurrency_leases l SET units = p_units, heartbeat_at = v_now, ttl_seconds = p_ttl_seconds, expires_at = v_expires_at,
      due_at = least(l.due_at, v_expires_at), metadata = coalesce(p_metadata, l.metadata)
    WHERE l.lease_id = v_lease.lease_id;
  ELSE
    v_lease.lease_id := fn_uuid7();
    INSERT INTO concurrency_leases (lease_id, namespace_id, account_id, resource_type_code, resource_scope, holder, units,
      fencing_token, acquired_at, heartbeat_at, expires_at, ttl_seconds, due_at, metadata)
    SELECT v_lease.lease_id, p_namespace.namespace_id, p_account_id, p_resource, p_scope, p_holder, p_units,
      s.last_fencing_token + 1, v_now, v_now, v_expires_at, p_ttl_seconds, v_expires_at, coalesce(p_metadata, '{}')
    FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
  END IF;
  v_states := fn_entitlement_states(p_account_id, p_resource, p_scope, v_account.timezone, v_now, v_now, false);
  PERFORM fn_touch_resource(p_account_id, p_resource, v_now, 'concurrency', v_states, true, v_limits[v_verdicts[1].n].over > 0,
    CASE WHEN v_renewed THEN 0 ELSE 1 END);
  RETURN fn_decision(fn_limits_after(v_limits, v_states, 'concurrency', v_now), v_verdicts, v_suspended,
      p_account_id, p_resource, p_scope, p_units, 'lease', v_now)
    || jsonb_build_object('lease_id', v_lease.lease_id, 'renewed', v_renewed);
END $$;
COMMENT ON FUNCTION fn_lease_acquire IS
'Grants a lease of p_units seats for p_ttl_seconds, or renews the holder''s own: the decision with the counts after the write, lease_id (null when denied) and renewed. Locks the resource; a denial writes nothing. A grant takes the next fencing token.';
