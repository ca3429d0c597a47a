CREATE OR REPLACE FUNCTION fn_verify_chain(p_namespace_id text DEFAULT NULL, p_most_entries int DEFAULT 20000) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_own CONSTANT text := coalesce(p_namespace_id, '');
  v_is_free boolean := fn_next_keys('verify_chain', p_namespace_id, 1) IS NOT NULL;
  v_audit_from text;
  v_audit_after bigint;
  v_namespace_id text;
  v_from maintenance_cursors;
  v_part record;
  v_entries int := 0;
  v_faults jsonb := '[]';
BEGIN
  IF NOT v_is_free THEN
    RETURN '{"job":"verify_chain","processed":0,"more":true,"faults":[]}';
  END IF;
  SELECT c.* INTO v_from FROM maintenance_cursors c WHERE c.job = 'verify_chain' AND c.namespace_id = v_own;
  IF v_from.from_account_id IS NULL THEN
    -- First the audit trails, each from where it was last; then the ledger.
    INSERT INTO maintenance_cursors (job, namespace_id) VALUES ('verify_audit', v_own) ON CONFLICT DO NOTHING;
    SELECT coalesce(c.from_resource_type_code, ''), c.from_seq INTO v_audit_from, v_audit_after
    FROM maintenance_cursors c WHERE c.job = 'verify_audit' AND c.namespace_id = v_own;
    FOR v_namespace_id IN
      SELECT n.namespace_id FROM namespaces n
      WHERE n.namespace_id = coalesce(p_namespace_id, n.namespace_id) AND n.namespace_id COLLATE "C" >= v_audit_from
      ORDER BY n.namespace_id COLLATE "C"
    LOOP
      IF v_entries >= p_most_entries THEN
        PERFORM fn_job_reached('verify_audit', p_namespace_id, fn_resource_key(NULL, v_namespace_id));
        RETURN jsonb_build_object('job', 'verify_chain', 'processed', v_entries, 'more', true, 'faults', v_faults);
      END IF;
      SELECT v.* INTO v_part
      FROM fn_verify_audit(v_namespace_id, CASE v_namespace_id WHEN v_audit_from THEN v_audit_after END, p_most_entries - v_entries) v;
      v_entries := v_entries + v_part.entries;
      IF v_part.fault IS NOT NULL THEN
        v_faults := v_faults || (v_part.fault || jsonb_build_object('chain', 'audit', 'account_uuid', NULL, 'resource', NULL));
      ELSIF NOT v_part.done THEN
        PERFORM fn_job_reached('verify_audit', p_namespace_id, fn_resource_key(NULL, v_namespace_id), v_part.reached);
        RETURN jsonb_build_object('job', 'verify_chain', 'processed', v_entries, 'more', true, 'faults', v_faults);
      END IF;
    END LOOP;
    PERFORM fn_job_reached('verify_audit', p_namespace_id, NULL);
  END IF;
  SELECT v.* INTO v_part FROM fn_verify_ledger(p_namespace_id, v_from.from_account_id, v_from.from_resource_type_code, v_from.from_seq,
    greatest(p_most_entries - v_entries, 1)) v;
  PERFORM fn_job_reached('verify_chain', p_namespace_id, v_part.next_key, v_part.next_after);
  RETURN jsonb_build_object('job', 'verify_chain', 'processed', v_entries + v_part.entries, 'more', (v_part.next_key).account_id IS NOT NULL,
    'faults', v_faults || v_part.faults);
END $$;
COMMENT ON FUNCTION fn_verify_chain IS
'Verifies the hash chains of the audit trail and the ledger, of one namespace or (null) of all, at most p_most_entries entries of them, from where it was last. processed: how many entries it looked at; faults: the first of each broken chain (docs/LEDGER_CHAIN.md); more: there are entries left. Takes no lock that a command waits for.';
