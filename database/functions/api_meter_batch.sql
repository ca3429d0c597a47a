CREATE OR REPLACE FUNCTION api_meter_batch(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize_batch(p_credential, '{meter}', p_request -> 'entries');
BEGIN
  RETURN jsonb_build_object('results', fn_meter_batch(v_namespace, p_request -> 'entries'));
END $$;
COMMENT ON FUNCTION api_meter_batch IS 'POST /v1/meter/batch: for each entry its index, status, entry, error.';
