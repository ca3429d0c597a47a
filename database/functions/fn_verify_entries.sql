CREATE OR REPLACE FUNCTION fn_verify_entries(p_account_id uuid, p_resource text, p_after bigint, p_most int)
RETURNS TABLE (entries int, reached bigint, done boolean, fault jsonb)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_head resource_state;
BEGIN
  SELECT s.* INTO v_head FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
  -- Each link is held against the hash before it as it stands: the first that does not fit is where the chain was broken.
  WITH part AS MATERIALIZED (
    SELECT l AS entry, l.chain_seq, l.entry_id, l.chain_hash FROM consumption_ledger l
    WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.chain_seq > coalesce(p_after, -9223372036854775808)
    ORDER BY l.chain_seq, l.entry_id LIMIT p_most
  ), linked AS (
    SELECT p.*, coalesce(lag(p.chain_seq) OVER chain, p_after, 0) AS previous_seq,
      coalesce(lag(p.chain_hash) OVER chain, (
        SELECT l.chain_hash FROM consumption_ledger l
        WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.chain_seq = p_after ORDER BY l.entry_id LIMIT 1
      )) AS previous_hash
    FROM part p WINDOW chain AS (ORDER BY p.chain_seq, p.entry_id)
  ), judged AS (
    SELECT k.chain_seq, k.entry_id, k.previous_seq, CASE
      WHEN k.chain_seq <= k.previous_seq THEN 'inserted'
      WHEN k.chain_seq > k.previous_seq + 1 THEN 'missing'
      WHEN k.chain_hash <> fn_entry_hash(k.previous_hash, k.entry, ARRAY(
        SELECT ROW(NULL, a.entry_id, a.entitlement_id, a.bucket_id, a.window_start, a.window_end, a.counted_at, a.included_quantity,
          a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier)::usage_allocation
        FROM consumption_allocations a WHERE a.entry_id = k.entry_id ORDER BY a.draw_order, a.entitlement_id)) THEN 'changed'
      -- They may have been erased, but nothing else.
      WHEN (k.entry).details_hash <> fn_details_hash(d.salt, d.metadata) OR ((k.entry).details_hash IS NULL AND d.entry_id IS NOT NULL)
        THEN 'details_changed' END AS fault
    FROM linked k LEFT JOIN ledger_details d ON d.entry_id = k.entry_id
  )
  SELECT count(*), coalesce(max(j.chain_seq), p_after, 0), count(*) < p_most,
    (array_agg(CASE WHEN j.fault = 'missing'
      THEN jsonb_build_object('fault', j.fault, 'seq', j.previous_seq + 1, 'through_seq', j.chain_seq - 1, 'entry_id', NULL)
      ELSE jsonb_build_object('fault', j.fault, 'seq', j.chain_seq, 'through_seq', j.chain_seq, 'entry_id', j.entry_id) END
      ORDER BY j.chain_seq, j.entry_id) FILTER (WHERE j.fault IS NOT NULL))[1]
  INTO entries, reached, done, fault FROM judged j;
  IF fault IS NULL AND done THEN
    IF reached < coalesce(v_head.chain_seq, 0) THEN
      fault := jsonb_build_object('fault', 'missing', 'seq', reached + 1, 'through_seq', v_head.chain_seq, 'entry_id', NULL);
    ELSIF reached > 0 THEN
      SELECT jsonb_build_object('fault', CASE WHEN l.chain_seq > coalesce(v_head.chain_seq, 0) THEN 'inserted' ELSE 'head_changed' END,
        'seq', l.chain_seq, 'through_seq', l.chain_seq, 'entry_id', l.entry_id)
      INTO fault FROM consumption_ledger l
      WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource
        AND (l.chain_seq > coalesce(v_head.chain_seq, 0) OR (l.chain_seq = reached AND l.chain_hash IS DISTINCT FROM v_head.chain_hash))
      ORDER BY l.chain_seq, l.entry_id LIMIT 1;
    END IF;
  END IF;
  IF fault IS NULL THEN
    SELECT jsonb_build_object('fault', CASE WHEN l.entry_id IS NULL THEN 'missing' ELSE 'rewritten' END,
      'seq', CASE WHEN l.entry_id IS NULL THEN reached ELSE coalesce((
        SELECT max(b.chain_seq) FROM signed_heads b
        WHERE b.account_id = p_account_id AND b.resource_type_code = p_resource AND b.chain_seq < h.chain_seq), 0) END + 1,
      'through_seq', h.chain_seq, 'entry_id', l.entry_id)
    INTO fault
    FROM signed_heads h
    LEFT JOIN consumption_ledger l ON l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.chain_seq = h.chain_seq
    WHERE h.account_id = p_account_id AND h.resource_type_code = p_resource AND h.chain_seq > coalesce(p_after, 0)
      AND (done OR h.chain_seq <= reached) AND l.chain_hash IS DISTINCT FROM h.chain_hash
    ORDER BY h.chain_seq LIMIT 1;
  END IF;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION fn_verify_entries IS
'Verifies the hash chain of an (account, resource) from after an entry''s number (null: the first) on, for p_most entries: how many there were, the last number, whether it was the last one, and the first fault {fault, seq, through_seq, entry_id}, null for none. Faults: docs/LEDGER_CHAIN.md. At the end also the head; on the way the heads in signed_heads, whose signatures only who has the key can verify.';
