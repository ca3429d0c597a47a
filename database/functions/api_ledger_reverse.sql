CREATE OR REPLACE FUNCTION api_ledger_reverse(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{meter}', p_credential ->> 'account');
  v_entry consumption_ledger := fn_ledger_entry(p_credential, v_namespace, (p_request ->> 'entry_id')::uuid);
BEGIN
  RETURN fn_reverse(v_namespace, v_entry, fn_account_label(v_entry.account_id), p_request ->> 'idempotency_key',
    (p_request ->> 'quantity')::numeric, p_request ->> 'reason');
END $$;
COMMENT ON FUNCTION api_ledger_reverse IS 'POST /v1/ledger/{entry_id}/reverse: entry, state, duplicate.';
