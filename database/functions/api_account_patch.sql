CREATE OR REPLACE FUNCTION api_account_patch(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
  v_account_id uuid;
  v_account accounts;
BEGIN
  PERFORM fn_require_timezone(p_request ->> 'timezone');
  v_account_id := fn_account_ensure(v_namespace, p_request ->> 'account_id');
  UPDATE accounts a SET
    account_name = CASE WHEN p_request ? 'name' THEN p_request ->> 'name' ELSE a.account_name END,
    timezone = coalesce(p_request ->> 'timezone', a.timezone),
    status = coalesce(p_request ->> 'status', a.status),
    metadata = coalesce(nullif(p_request -> 'metadata', 'null'), a.metadata)
  WHERE a.account_id = v_account_id RETURNING a.* INTO v_account;
  RETURN fn_account_json(v_account, p_request ->> 'account_id');
END $$;
COMMENT ON FUNCTION api_account_patch IS
'PATCH /v1/accounts/{account_id}: name, timezone, status, metadata; what the request leaves out stays. Makes an account that was never seen. ME400 invalid_parameter (timezone).';
