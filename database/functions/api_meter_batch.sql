CREATE OR REPLACE FUNCTION api_meter_batch(p_credential jsonb, p_request jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize_batch(p_credential, '{meter}', p_request -> 'entries');
  v_results json;
BEGIN
  v_results := fn_meter_batch(v_namespace, p_request -> 'entries');
  RETURN json_build_object('results', v_results, 'changes', coalesce(fn_told('{}') -> 'changes', '[]'));
END $$;
COMMENT ON FUNCTION api_meter_batch IS 'POST /v1/meter/batch: for each entry its index, status, entry, error.';
