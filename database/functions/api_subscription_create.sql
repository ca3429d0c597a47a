CREATE OR REPLACE FUNCTION api_subscription_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
BEGIN
  RETURN fn_subscribe(v_namespace, fn_account_ensure(v_namespace, p_request ->> 'account_id'), p_request ->> 'account_id',
    p_request ->> 'plan_id', (p_request ->> 'start_at')::timestamptz, coalesce((p_request ->> 'quantity')::numeric, 1),
    p_request ->> 'idempotency_key');
END $$;
COMMENT ON FUNCTION api_subscription_create IS 'POST /v1/accounts/{account_id}/subscriptions.';
