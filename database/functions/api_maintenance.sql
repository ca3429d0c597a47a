CREATE OR REPLACE FUNCTION api_maintenance(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace_id text := fn_jobs_namespace(p_credential);
  v_job text := p_request ->> 'job';
  v_all boolean := coalesce(v_job = 'all', false);
  v_leases jsonb;
  v_reservations jsonb;
  v_windows jsonb;
  v_compared jsonb;
  v_verified jsonb;
BEGIN
  -- The longest comes first: it keeps no locks, and what the others lock stays locked to the end of the transaction.
  IF v_all OR v_job = 'verify_chain' THEN
    v_verified := fn_verify_chain(v_namespace_id);
  END IF;
  IF v_all OR v_job = 'reconcile' THEN
    v_compared := fn_reconcile(v_namespace_id);
  END IF;
  IF v_all OR v_job = 'close_windows' THEN
    v_windows := fn_close_windows(v_namespace_id);
  END IF;
  IF v_all OR v_job = 'expire_reservations' THEN
    v_reservations := fn_expire_reservations(v_namespace_id);
  END IF;
  IF v_all OR v_job = 'expire_leases' THEN
    v_leases := fn_expire_leases(v_namespace_id);
  END IF;
  RETURN jsonb_build_object('results', jsonb_path_query_array(
    jsonb_build_array(v_leases, v_reservations, v_windows, v_compared, v_verified), '$[*] ? (@ != null)'));
END $$;
COMMENT ON FUNCTION api_maintenance IS
'POST /v1/maintenance/run, for the caller''s namespace, and the cron triggers, for all: runs the job asked for, or all of them, each a bounded step, and says what it did.';
