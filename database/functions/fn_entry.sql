CREATE OR REPLACE FUNCTION fn_entry(p_entry_id uuid, p_account text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT fn_entry_json(l, p_account, d.metadata)
    FROM consumption_ledger l LEFT JOIN ledger_details d USING (entry_id) WHERE l.entry_id = p_entry_id
  );
END $$;
COMMENT ON FUNCTION fn_entry IS 'One ledger entry as answers show it.';
