CREATE OR REPLACE FUNCTION api_meter_batch(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
  v_account text;
BEGIN
  -- A token of one account meters that account only, in every entry.
  SELECT e ->> 'account_id' INTO v_account FROM jsonb_array_elements(p_request -> 'entries') e
  ORDER BY e ->> 'account_id' IS NOT DISTINCT FROM p_credential ->> 'account' LIMIT 1;
  v_namespace := fn_authorize(p_credential, '{meter}', CASE WHEN FOUND THEN v_account ELSE p_credential ->> 'account' END);
  RETURN jsonb_build_object('results', fn_meter_batch(v_namespace, p_request -> 'entries'));
END $$;
COMMENT ON FUNCTION api_meter_batch IS 'POST /v1/meter/batch: for each entry its index, status, entry, error.';
