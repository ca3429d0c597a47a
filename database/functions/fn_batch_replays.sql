CREATE OR REPLACE FUNCTION fn_batch_replays(p_items usage_item[]) RETURNS usage_item[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_known record;
BEGIN
  FOR v_known IN
    SELECT i.n, coalesce((k.result ->> 'entry_id')::uuid, f.entry_id) AS entry_id,
      coalesce(k.operation = 'meter' AND k.request_hash = i.request_hash, f.request_hash = i.request_hash) AS same
    FROM unnest(p_items) i
    LEFT JOIN idempotency_keys k ON k.account_id = i.account_id AND k.idempotency_key = i.idempotency_key
    -- Within the batch the first one counts.
    LEFT JOIN (
      SELECT DISTINCT ON (f.account_id, f.idempotency_key) f.account_id, f.idempotency_key, f.n, f.entry_id, f.request_hash
      FROM unnest(p_items) f WHERE f.status IS NULL ORDER BY f.account_id, f.idempotency_key, f.n
    ) f ON f.account_id = i.account_id AND f.idempotency_key = i.idempotency_key AND f.n < i.n
    WHERE i.status IS NULL AND (k.account_id IS NOT NULL OR f.n IS NOT NULL)
  LOOP
    p_items[v_known.n].status := CASE WHEN v_known.same THEN 'duplicate' ELSE 'conflict' END;
    p_items[v_known.n].entry_id := v_known.entry_id;
  END LOOP;
  RETURN p_items;
END $$;
COMMENT ON FUNCTION fn_batch_replays IS 'Marks the uses of a batch whose key is known, or stands earlier in the batch, as duplicate or conflict.';
