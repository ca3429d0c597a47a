CREATE OR REPLACE FUNCTION api_subscription_change(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
  v_result jsonb;
BEGIN
  v_result := fn_subscription_change(v_namespace, fn_account_uuid(v_namespace, p_request ->> 'account_id'),
    (p_request ->> 'subscription_id')::uuid, 'change', p_request ->> 'plan_id',
    (p_request ->> 'quantity')::numeric,
    coalesce(p_request ->> 'when', 'now'), p_request ->> 'idempotency_key');
  RETURN fn_subscription_answer((v_result ->> 'subscription_id')::uuid, p_request ->> 'account_id', fn_now(v_namespace.namespace_id))
    || jsonb_build_object('duplicate', v_result -> 'duplicate');
END $$;
COMMENT ON FUNCTION api_subscription_change IS 'POST /v1/accounts/{account_id}/subscriptions/{subscription_id}/change: {subscription, entitlements, duplicate}.';
