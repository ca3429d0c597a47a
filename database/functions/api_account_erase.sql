CREATE OR REPLACE FUNCTION api_account_erase(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
BEGIN
  RETURN fn_account_erase(fn_account_uuid(v_namespace, p_request ->> 'account_id'), p_request ->> 'account_id');
END $$;
COMMENT ON FUNCTION api_account_erase IS 'POST /v1/accounts/{account_id}/erase.';
