CREATE OR REPLACE FUNCTION api_maintenance(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  IF p_credential ->> 'type' IS DISTINCT FROM 'cron' THEN
    PERFORM fn_authorize(p_credential, '{admin}', NULL);
  END IF;
  RETURN jsonb_build_object('results', jsonb_build_array(fn_expire_leases()));
END $$;
COMMENT ON FUNCTION api_maintenance IS 'POST /v1/maintenance/run and the cron triggers: runs the jobs asked for, says what each did.';
