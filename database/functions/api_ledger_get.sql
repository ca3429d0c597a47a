CREATE OR REPLACE FUNCTION api_ledger_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_entry consumption_ledger := fn_ledger_entry(p_credential, v_namespace, (p_request ->> 'entry_id')::uuid);
BEGIN
  RETURN fn_entry(v_entry.entry_id, fn_account_label(v_entry.account_id));
END $$;
COMMENT ON FUNCTION api_ledger_get IS 'GET /v1/ledger/{entry_id}.';
