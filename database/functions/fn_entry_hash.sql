CREATE OR REPLACE FUNCTION fn_entry_hash(p_previous bytea, p_entry consumption_ledger, p_drawn usage_allocation[]) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_fields text[] := ARRAY[
    'mec-entry-1', p_entry.chain_seq::text, p_entry.entry_id::text, p_entry.namespace_id, p_entry.account_id::text,
    p_entry.resource_type_code, p_entry.resource_scope, p_entry.entry_kind, p_entry.limit_kind_code, p_entry.idempotency_key,
    trim_scale(p_entry.quantity)::text, p_entry.unit_code, trim_scale(p_entry.original_quantity)::text, p_entry.original_unit_code,
    fn_micros(p_entry.occurred_at), fn_micros(p_entry.recorded_at), fn_micros(p_entry.counted_at), p_entry.is_late::text,
    p_entry.reverses_entry_id::text, trim_scale(p_entry.included_quantity)::text, trim_scale(p_entry.overage_quantity)::text,
    trim_scale(p_entry.excess_quantity)::text, encode(p_entry.details_hash, 'hex')];
  v_drawn usage_allocation;
BEGIN
  FOREACH v_drawn IN ARRAY p_drawn LOOP
    v_fields := v_fields || ARRAY[
      v_drawn.entitlement_id::text, v_drawn.bucket_id::text, fn_micros(v_drawn.window_start), fn_micros(v_drawn.window_end),
      fn_micros(v_drawn.counted_at), trim_scale(v_drawn.included_quantity)::text, trim_scale(v_drawn.overage_quantity)::text,
      trim_scale(v_drawn.excess_quantity)::text, trim_scale(v_drawn.billable_quantity)::text, trim_scale(v_drawn.overage_multiplier)::text];
  END LOOP;
  RETURN fn_chain_hash(p_previous, v_fields);
END $$;
COMMENT ON FUNCTION fn_entry_hash IS
'The chain_hash of a ledger entry after p_previous (null: it is the first): of all its columns and of what it drew on, in draw order. Who writes entries and who verifies them both ask this; its form is in docs/LEDGER_CHAIN.md, and entries of a form never change.';
