CREATE OR REPLACE FUNCTION fn_heartbeat_lease(p_lease_id uuid, p_ttl_minutes int DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_lease concurrency_leases := fn_lease_locked(p_lease_id);
BEGIN
  IF p_ttl_minutes NOT BETWEEN 1 AND 10080 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'ttl_minutes must be from 1 to 10080', 'ttl_minutes');
  END IF;
  IF v_lease.lease_id IS NULL OR v_lease.ended_at IS NOT NULL OR v_lease.expires_at <= fn_now(v_lease.namespace_id) THEN
    RETURN false;
  END IF;
  PERFORM fn_lease_heartbeat(v_lease, p_ttl_minutes * 60);
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_heartbeat_lease IS
'Extends a seat by p_ttl_minutes from now (default: its own TTL again); false when it has ended or is unknown.';
