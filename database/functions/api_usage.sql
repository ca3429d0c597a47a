CREATE OR REPLACE FUNCTION api_usage(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_most CONSTANT int := 1000;
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  v_account_id uuid := fn_account_uuid(v_namespace, p_request ->> 'account_id');
  v_granularity text := p_request ->> 'granularity';
  v_from timestamptz := p_request ->> 'from';
  v_to timestamptz := p_request ->> 'to';
  v_timezone text := coalesce(fn_require_timezone(p_request ->> 'timezone'),
    (SELECT a.timezone FROM accounts a WHERE a.account_id = v_account_id), 'UTC');
  v_data jsonb;
BEGIN
  IF v_from >= v_to THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'to must be after from', 'to');
  END IF;
  IF v_from + (v_most + 2) * ('1 ' || v_granularity)::interval > v_to THEN
    v_data := fn_usage_series(v_account_id, v_type.resource_type_code, v_granularity, v_from, v_to, v_timezone);
  END IF;
  IF v_data IS NULL OR jsonb_array_length(v_data) > v_most THEN
    PERFORM fn_fail(400, 'invalid_parameter', format('to must be at most %s %ss after from', v_most, v_granularity), 'to');
  END IF;
  RETURN jsonb_build_object('data', v_data);
END $$;
COMMENT ON FUNCTION api_usage IS 'GET /v1/usage: {data}: what was used by hour, day or month of a timezone, at most 1000 of them.';
