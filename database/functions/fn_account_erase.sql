CREATE OR REPLACE FUNCTION fn_account_erase(p_account_id uuid, p_account text, p_most int DEFAULT 10000) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_account accounts;
  v_details int;
  v_leases int;
  v_items int;
  v_grants int;
  v_audited int;
  v_found boolean;
BEGIN
  SELECT a.* INTO v_account FROM accounts a WHERE a.account_id = p_account_id FOR UPDATE;
  v_found := FOUND;
  -- Whoever is at work there is waited for.
  PERFORM fn_bump_resources((SELECT array_agg(s) FROM resource_state s WHERE s.account_id = p_account_id));
  DELETE FROM ledger_details d
  WHERE d.entry_id IN (SELECT l.entry_id FROM ledger_details l WHERE l.account_id = p_account_id LIMIT p_most);
  GET DIAGNOSTICS v_details = ROW_COUNT;
  -- A row stays, under a name that is nobody's, so that counts and uniqueness do.
  UPDATE concurrency_leases l SET holder = 'erased:' || l.lease_id, metadata = '{}', end_reason = NULL
  WHERE l.lease_id IN (
    SELECT e.lease_id FROM concurrency_leases e
    WHERE e.account_id = p_account_id AND (e.holder <> 'erased:' || e.lease_id OR e.metadata <> '{}' OR e.end_reason IS NOT NULL) LIMIT p_most);
  GET DIAGNOSTICS v_leases = ROW_COUNT;
  UPDATE inventory_items i SET item = 'erased:' || i.entry_id, metadata = '{}'
  WHERE i.account_id = p_account_id AND i.entry_id IN (
    SELECT e.entry_id FROM inventory_items e
    WHERE e.account_id = p_account_id AND (e.item <> 'erased:' || e.entry_id OR e.metadata <> '{}') LIMIT p_most);
  GET DIAGNOSTICS v_items = ROW_COUNT;
  UPDATE entitlements e SET metadata = '{}', revoke_reason = NULL
  WHERE e.account_id = p_account_id AND (e.metadata <> '{}' OR e.revoke_reason IS NOT NULL);
  GET DIAGNOSTICS v_grants = ROW_COUNT;
  v_found := v_found AND (v_details + v_leases + v_items + v_grants > 0 OR num_nonnulls(v_account.external_id, v_account.account_name) > 0
    OR v_account.metadata <> '{}' OR v_account.erased_at IS NULL);
  IF v_found THEN
    UPDATE accounts a SET external_id = NULL, account_name = NULL, metadata = '{}', erased_at = date_trunc('milliseconds', clock_timestamp())
    WHERE a.account_id = p_account_id RETURNING a.* INTO v_account;
  END IF;
  -- Last: what was erased above was a change of what is audited.
  DELETE FROM audit_details d
  WHERE d.audit_id IN (SELECT l.audit_id FROM audit_details l WHERE l.account_id = p_account_id LIMIT p_most);
  GET DIAGNOSTICS v_audited = ROW_COUNT;
  -- After all other notes: what the edge knows, it knows under the account's own string.
  PERFORM fn_note(jsonb_build_object('account_id', p_account_id, 'account', p_account, 'resource', s.resource_type_code))
  FROM resource_state s WHERE s.account_id = p_account_id;
  RETURN jsonb_build_object('account_id', p_account, 'erased_at', fn_rfc3339(v_account.erased_at),
    'complete', greatest(v_details, v_leases, v_items, v_audited) < p_most,
    'ledger_details', v_details, 'leases', v_leases, 'items', v_items, 'entitlements', v_grants, 'audit_details', v_audited);
END $$;
COMMENT ON FUNCTION fn_account_erase IS
'Deletes the personal strings of an account for good (DESIGN.md, "Personal strings"): details of its ledger and its audit trail with their salts, its own string, name and metadata, holders, items. Rows, sums and hash chains stay. Of each sort at most p_most: complete says whether those were all. Safe to repeat; erased_at is when it last erased something. p_account: the account as the caller writes it. Locks the account, then its resources.';
