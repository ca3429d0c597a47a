CREATE OR REPLACE FUNCTION api_entitlement_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  v_account_id uuid := fn_account_uuid(v_namespace, p_request ->> 'account_id');
BEGIN
  RETURN jsonb_build_object('data', fn_entitlement_list(v_account_id, p_request ->> 'account_id',
    fn_now(v_namespace.namespace_id, statement_timestamp())));
END $$;
COMMENT ON FUNCTION api_entitlement_list IS 'GET /v1/accounts/{account_id}/entitlements: all that the account holds or held, with its state.';
