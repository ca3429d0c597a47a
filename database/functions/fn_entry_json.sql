CREATE OR REPLACE FUNCTION fn_entry_json(p_entry consumption_ledger, p_account text, p_metadata jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(fn_entry_shown(p_entry, p_account, p_metadata))
$$;
COMMENT ON FUNCTION fn_entry_json IS 'fn_entry_shown as JSON.';
