CREATE OR REPLACE FUNCTION fn_batch_replays(p_items usage_item[]) RETURNS usage_item[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_known record;
BEGIN
  FOR v_known IN
    SELECT i.n, (k.result ->> 'entry_id')::uuid AS entry_id, k.operation = 'meter' AND k.request_hash = i.request_hash AS same
    FROM unnest(p_items) i JOIN idempotency_keys k ON k.account_id = i.account_id AND k.idempotency_key = i.idempotency_key
    WHERE i.status IS NULL AND k.result ->> 'entry_id' IS DISTINCT FROM i.entry_id::text
  LOOP
    p_items[v_known.n].status := CASE WHEN v_known.same THEN 'duplicate' ELSE 'conflict' END;
    p_items[v_known.n].entry_id := v_known.entry_id;
  END LOOP;
  RETURN p_items;
END $$;
COMMENT ON FUNCTION fn_batch_replays IS 'Marks the uses of a batch whose key stands for another as duplicate or conflict: one of before, or earlier in the batch, or one of a command on another resource meanwhile.';
