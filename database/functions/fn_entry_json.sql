CREATE OR REPLACE FUNCTION fn_entry_json(p_entry consumption_ledger, p_account text, p_metadata jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'entry_id', p_entry.entry_id, 'idempotency_key', p_entry.idempotency_key, 'account_id', p_account,
    'resource', p_entry.resource_type_code, 'scope', p_entry.resource_scope,
    'quantity', fn_number(p_entry.quantity), 'unit', p_entry.unit_code,
    'original_quantity', fn_number(p_entry.original_quantity), 'original_unit', p_entry.original_unit_code,
    'occurred_at', fn_rfc3339(p_entry.occurred_at), 'recorded_at', fn_rfc3339(p_entry.recorded_at),
    'late', p_entry.is_late, 'kind', CASE WHEN p_entry.entry_kind = 'reversal' THEN 'reversal' ELSE 'usage' END, 'reverses', p_entry.reverses_entry_id,
    'included_quantity', fn_number(p_entry.included_quantity), 'overage_quantity', fn_number(p_entry.overage_quantity),
    'excess_quantity', fn_number(p_entry.excess_quantity), 'metadata', coalesce(p_metadata, '{}'))
$$;
COMMENT ON FUNCTION fn_entry_json IS 'A ledger entry as answers show it: assignment and release of an item are usage, of 1 and of -1. p_account: the account as the caller writes it.';
