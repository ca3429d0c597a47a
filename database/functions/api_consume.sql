CREATE OR REPLACE FUNCTION api_consume(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{meter}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  v_account_id uuid := fn_account_uuid(v_namespace, p_request ->> 'account_id');
BEGIN
  RETURN fn_consume(v_namespace, v_account_id, p_request ->> 'account_id',
      fn_usage_item(v_namespace, v_type, v_account_id, p_request ->> 'scope', (p_request ->> 'quantity')::numeric, p_request ->> 'unit',
        p_request ->> 'idempotency_key', NULL, p_request -> 'metadata', 'consume'));
END $$;
COMMENT ON FUNCTION api_consume IS 'POST /v1/consume: verdicts and snapshot, from which the edge renders the decision, entry, duplicate.';
