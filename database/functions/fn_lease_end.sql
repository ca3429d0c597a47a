CREATE OR REPLACE FUNCTION fn_lease_end(p_lease concurrency_leases, p_status text, p_reason text DEFAULT NULL) RETURNS concurrency_leases
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := fn_now(p_lease.namespace_id);
BEGIN
  IF p_lease.ended_at IS NOT NULL THEN
    RETURN p_lease;
  END IF;
  UPDATE concurrency_leases l SET
    end_status = CASE WHEN l.expires_at <= v_now THEN 'expired' ELSE p_status END,
    ended_at = least(l.expires_at, v_now), end_reason = p_reason
  WHERE l.lease_id = p_lease.lease_id RETURNING l.* INTO p_lease;
  PERFORM fn_touch_resource(p_lease.account_id, p_lease.resource_type_code, v_now, '', NULL, false, false);
  RETURN p_lease;
END $$;
COMMENT ON FUNCTION fn_lease_end IS
'Ends a lease, locked by the caller, as released or revoked; one that ended before stays as it ended.';
