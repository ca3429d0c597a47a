CREATE OR REPLACE FUNCTION api_account_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  v_account accounts;
BEGIN
  SELECT a.* INTO v_account FROM accounts a WHERE a.account_id = fn_account_uuid(v_namespace, p_request ->> 'account_id');
  RETURN fn_account_json(v_account, p_request ->> 'account_id');
END $$;
COMMENT ON FUNCTION api_account_get IS 'GET /v1/accounts/{account_id}: one that was never seen is no error.';
