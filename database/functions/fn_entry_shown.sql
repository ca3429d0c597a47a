CREATE OR REPLACE FUNCTION fn_entry_shown(p_entry consumption_ledger, p_account text, p_metadata jsonb) RETURNS ledger_entry
LANGUAGE sql STABLE AS $$
  SELECT ROW(
    p_entry.entry_id, p_entry.idempotency_key, p_account, p_entry.resource_type_code, p_entry.resource_scope,
    trim_scale(p_entry.quantity), p_entry.unit_code, trim_scale(p_entry.original_quantity), p_entry.original_unit_code,
    fn_rfc3339(p_entry.occurred_at), fn_rfc3339(p_entry.recorded_at), p_entry.is_late,
    CASE WHEN p_entry.entry_kind = 'reversal' THEN 'reversal' ELSE 'usage' END, p_entry.reverses_entry_id,
    trim_scale(p_entry.included_quantity), trim_scale(p_entry.overage_quantity), trim_scale(p_entry.excess_quantity),
    coalesce(p_metadata, '{}'))::ledger_entry
$$;
COMMENT ON FUNCTION fn_entry_shown IS 'A ledger entry as answers show it: assignment and release of an item are usage, of 1 and of -1. p_account: the account as the caller writes it.';
