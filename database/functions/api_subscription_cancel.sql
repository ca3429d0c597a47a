CREATE OR REPLACE FUNCTION api_subscription_cancel(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN fn_subscription_command(p_credential, p_request, 'cancel');
END $$;
COMMENT ON FUNCTION api_subscription_cancel IS 'POST /v1/accounts/{account_id}/subscriptions/{subscription_id}/cancel: {subscription, entitlements, duplicate}; again changes nothing.';
