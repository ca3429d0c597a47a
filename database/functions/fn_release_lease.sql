CREATE OR REPLACE FUNCTION fn_release_lease(p_lease_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_lease concurrency_leases := fn_lease_locked(p_lease_id);
BEGIN
  IF v_lease.lease_id IS NOT NULL THEN
    PERFORM fn_lease_end(v_lease, 'released');
  END IF;
  RETURN v_lease.lease_id IS NOT NULL;
END $$;
COMMENT ON FUNCTION fn_release_lease IS 'Gives a seat back; true also when it had ended before, false for an unknown lease.';
