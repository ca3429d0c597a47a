CREATE OR REPLACE FUNCTION fn_lease_heartbeat(p_lease concurrency_leases, p_ttl_seconds int) RETURNS concurrency_leases
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := fn_now(p_lease.namespace_id);
  v_status text := coalesce(p_lease.end_status, CASE WHEN p_lease.expires_at <= v_now THEN 'expired' END);
  v_ttl_seconds int := coalesce(p_ttl_seconds, p_lease.ttl_seconds);
  v_expires_at timestamptz := v_now + make_interval(secs => v_ttl_seconds);
BEGIN
  IF v_status IS NOT NULL THEN
    PERFORM fn_fail(410, 'lease_' || v_status, format('the lease is %s', v_status), NULL,
      jsonb_build_object('lease', fn_lease_json(p_lease, fn_account_label(p_lease.account_id), v_now)));
  END IF;
  UPDATE concurrency_leases l SET heartbeat_at = v_now, ttl_seconds = v_ttl_seconds, expires_at = v_expires_at,
    due_at = least(l.due_at, v_expires_at)
  WHERE l.lease_id = p_lease.lease_id RETURNING l.* INTO p_lease;
  RETURN p_lease;
END $$;
COMMENT ON FUNCTION fn_lease_heartbeat IS
'Extends a lease, locked by the caller, by a new TTL or its own again, from now; never looks at capacity. Changes no indexed column, unless a shorter TTL brings the end forward. ME410 lease_expired, lease_released, lease_revoked, with the lease.';
