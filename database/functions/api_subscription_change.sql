CREATE OR REPLACE FUNCTION api_subscription_change(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN fn_subscription_command(p_credential, p_request, 'change');
END $$;
COMMENT ON FUNCTION api_subscription_change IS 'POST /v1/accounts/{account_id}/subscriptions/{subscription_id}/change: {subscription, entitlements, duplicate}.';
