CREATE OR REPLACE FUNCTION api_subscription_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  v_cursor text[] := fn_cursor(p_request, '{uuid}');
  v_now timestamptz := fn_now(v_namespace.namespace_id);
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  SELECT array_agg(fn_subscription_json(s, p_request ->> 'account_id', v_now) ORDER BY s.subscription_id DESC),
         array_agg(jsonb_build_array(s.subscription_id) ORDER BY s.subscription_id DESC)
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM subscriptions s
    WHERE s.account_id = fn_account_uuid(v_namespace, p_request ->> 'account_id') AND s.namespace_id = v_namespace.namespace_id
      AND s.subscription_id < coalesce(v_cursor[1]::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    ORDER BY s.subscription_id DESC LIMIT fn_page_limit(p_request) + 1
  ) s;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_subscription_list IS 'GET /v1/accounts/{account_id}/subscriptions: newest first.';
