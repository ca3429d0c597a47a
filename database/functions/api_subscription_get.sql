CREATE OR REPLACE FUNCTION api_subscription_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
BEGIN
  IF NOT EXISTS (
    SELECT FROM subscriptions s
    WHERE s.subscription_id = (p_request ->> 'subscription_id')::uuid
      AND s.account_id = fn_account_uuid(v_namespace, p_request ->> 'account_id') AND s.namespace_id = v_namespace.namespace_id
  ) THEN
    PERFORM fn_fail(404, 'not_found', 'the account has no such subscription', 'subscription_id');
  END IF;
  RETURN fn_subscription_answer((p_request ->> 'subscription_id')::uuid, p_request ->> 'account_id', fn_now(v_namespace.namespace_id));
END $$;
COMMENT ON FUNCTION api_subscription_get IS 'GET /v1/accounts/{account_id}/subscriptions/{subscription_id}.';
