CREATE OR REPLACE FUNCTION api_meter(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{meter}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  v_account_id uuid := fn_account_ensure(v_namespace, p_request ->> 'account_id');
  v_result jsonb;
BEGIN
  v_result := fn_meter(v_namespace, v_account_id, p_request ->> 'account_id',
    fn_usage_item(v_namespace, v_type, v_account_id, p_request ->> 'scope', (p_request ->> 'quantity')::numeric, p_request ->> 'unit',
      p_request ->> 'idempotency_key', (p_request ->> 'occurred_at')::timestamptz, p_request -> 'metadata', 'meter'));
  RETURN v_result - 'entry_id' || jsonb_build_object('over_limit',
    (v_result -> 'entry' ->> 'overage_quantity')::numeric + (v_result -> 'entry' ->> 'excess_quantity')::numeric > 0);
END $$;
COMMENT ON FUNCTION api_meter IS 'POST /v1/meter: entry, state, over_limit, duplicate.';
