CREATE OR REPLACE FUNCTION fn_verify_audit(p_namespace_id text, p_after bigint, p_most int)
RETURNS TABLE (entries int, reached bigint, done boolean, fault jsonb)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_head audit_heads;
BEGIN
  SELECT h.* INTO v_head FROM audit_heads h WHERE h.namespace_id = p_namespace_id;
  WITH part AS MATERIALIZED (
    SELECT c.* FROM audit_chain c
    WHERE c.namespace_id = p_namespace_id AND c.chain_seq > coalesce(p_after, -9223372036854775808)
    ORDER BY c.chain_seq LIMIT p_most
  ), linked AS (
    SELECT p.*, coalesce(lag(p.chain_seq) OVER chain, p_after, 0) AS previous_seq,
      coalesce(lag(p.chain_hash) OVER chain, (
        SELECT c.chain_hash FROM audit_chain c WHERE c.namespace_id = p_namespace_id AND c.chain_seq = p_after)) AS previous_hash
    FROM part p WINDOW chain AS (ORDER BY p.chain_seq)
  ), judged AS (
    SELECT k.chain_seq, k.audit_id, k.previous_seq, CASE
      WHEN k.chain_seq <= k.previous_seq THEN 'inserted'
      WHEN k.chain_seq > k.previous_seq + 1 OR a.audit_id IS NULL THEN 'missing'
      WHEN k.chain_hash <> fn_audit_hash(k.previous_hash, k.chain_seq, a) THEN 'changed'
      WHEN a.details_hash <> fn_details_hash(d.salt, jsonb_build_object('before', d.before, 'after', d.after))
        OR (a.details_hash IS NULL AND d.audit_id IS NOT NULL) THEN 'details_changed' END AS fault
    FROM linked k LEFT JOIN audit_log a ON a.audit_id = k.audit_id LEFT JOIN audit_details d ON d.audit_id = k.audit_id
  )
  SELECT count(*), coalesce(max(j.chain_seq), p_after, 0), count(*) < p_most,
    (array_agg(CASE WHEN j.chain_seq > j.previous_seq + 1
      THEN jsonb_build_object('fault', j.fault, 'seq', j.previous_seq + 1, 'through_seq', j.chain_seq - 1, 'entry_id', NULL)
      ELSE jsonb_build_object('fault', j.fault, 'seq', j.chain_seq, 'through_seq', j.chain_seq, 'entry_id', j.audit_id) END
      ORDER BY j.chain_seq) FILTER (WHERE j.fault IS NOT NULL))[1]
  INTO entries, reached, done, fault FROM judged j;
  IF fault IS NULL AND done THEN
    IF reached < coalesce(v_head.chain_seq, 0) THEN
      fault := jsonb_build_object('fault', 'missing', 'seq', reached + 1, 'through_seq', v_head.chain_seq, 'entry_id', NULL);
    ELSE
      SELECT jsonb_build_object('fault', CASE WHEN c.chain_seq > coalesce(v_head.chain_seq, 0) THEN 'inserted' ELSE 'head_changed' END,
        'seq', c.chain_seq, 'through_seq', c.chain_seq, 'entry_id', c.audit_id)
      INTO fault FROM audit_chain c
      WHERE c.namespace_id = p_namespace_id
        AND (c.chain_seq > coalesce(v_head.chain_seq, 0) OR (c.chain_seq = reached AND c.chain_hash IS DISTINCT FROM v_head.chain_hash))
      ORDER BY c.chain_seq LIMIT 1;
    END IF;
  END IF;
  IF fault IS NULL AND done THEN
    SELECT jsonb_build_object('fault', 'inserted', 'seq', NULL, 'through_seq', NULL, 'entry_id', a.audit_id)
    INTO fault FROM audit_log a
    WHERE a.namespace_id = p_namespace_id AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.audit_id)
    ORDER BY a.changed_at, a.audit_id LIMIT 1;
  END IF;
  IF fault IS NULL THEN
    SELECT jsonb_build_object('fault', CASE WHEN c.audit_id IS NULL THEN 'missing' ELSE 'rewritten' END,
      'seq', CASE WHEN c.audit_id IS NULL THEN reached ELSE coalesce((
        SELECT max(b.chain_seq) FROM signed_heads b
        WHERE b.namespace_id = p_namespace_id AND b.account_id IS NULL AND b.chain_seq < h.chain_seq), 0) END + 1,
      'through_seq', h.chain_seq, 'entry_id', c.audit_id)
    INTO fault
    FROM signed_heads h LEFT JOIN audit_chain c ON c.namespace_id = h.namespace_id AND c.chain_seq = h.chain_seq
    WHERE h.namespace_id = p_namespace_id AND h.account_id IS NULL AND h.chain_seq > coalesce(p_after, 0)
      AND (done OR h.chain_seq <= reached) AND c.chain_hash IS DISTINCT FROM h.chain_hash
    ORDER BY h.chain_seq LIMIT 1;
  END IF;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION fn_verify_audit IS
'Verifies the hash chain of a namespace''s audit trail, as fn_verify_entries does that of an (account, resource); at the end also that each entry of the trail is in it (seq null: the one that is not).';
