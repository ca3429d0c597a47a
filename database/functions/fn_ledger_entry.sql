CREATE OR REPLACE FUNCTION fn_ledger_entry(p_credential jsonb, p_namespace namespaces, p_entry_id uuid) RETURNS consumption_ledger
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_entry consumption_ledger;
BEGIN
  SELECT l.* INTO v_entry FROM consumption_ledger l
  WHERE l.entry_id = p_entry_id AND l.namespace_id = p_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such ledger entry', 'entry_id');
  END IF;
  PERFORM fn_confine(p_credential, p_namespace, v_entry.account_id);
  RETURN v_entry;
END $$;
COMMENT ON FUNCTION fn_ledger_entry IS 'The ledger entry that a request names. ME404 not_found, ME403 account_forbidden.';
