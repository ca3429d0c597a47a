CREATE OR REPLACE FUNCTION api_snapshot(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{check}', p_request ->> 'account_id');
  v_snapshot jsonb;
BEGIN
  -- fn_snapshot is STABLE: the labels and the state come from one moment.
  v_snapshot := fn_snapshot(v_namespace, fn_account_uuid(v_namespace, p_request ->> 'account_id'), p_request ->> 'resource',
    p_request ->> 'scope', fn_clock(v_namespace, statement_timestamp()), (p_request ->> 'at')::timestamptz);
  -- What has a state is known.
  IF v_snapshot -> 'key_version' = '0' THEN
    PERFORM fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  END IF;
  IF p_request -> 'auth' = 'true' THEN
    v_snapshot := v_snapshot || jsonb_build_object('auth', fn_key_record(p_credential));
  END IF;
  RETURN v_snapshot;
END $$;
COMMENT ON FUNCTION api_snapshot IS 'POST /v1/check: the snapshot from which the edge decides, and, if the request says auth, what the key may do. Changes nothing.';
