CREATE OR REPLACE FUNCTION fn_batch_next(p_namespace namespaces, p_items usage_item[], p_now timestamptz) RETURNS usage_item[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_item usage_item;
BEGIN
  FOR v_item IN
    SELECT i.* FROM unnest(p_items) i
    WHERE i.status = 'conflict' AND i.entry_id IN (SELECT r.entry_id FROM unnest(p_items) r WHERE r.status = 'invalid')
    ORDER BY i.n
  LOOP
    v_item.status := NULL;
    v_item.entry_id := fn_uuid7();
    -- Nobody else gets a key that this transaction had taken until it ends.
    IF NOT EXISTS (SELECT FROM idempotency_keys k WHERE k.account_id = v_item.account_id AND k.idempotency_key = v_item.idempotency_key) THEN
      v_item := (fn_meter_group(
        p_namespace, v_item.account_id, v_item.resource_type_code, v_item.resource_scope, ARRAY[v_item], p_now))[1];
      IF v_item.status = 'recorded' THEN
        PERFORM fn_remember(v_item.account_id, v_item.idempotency_key, 'meter', v_item.request_hash,
          jsonb_build_object('entry_id', v_item.entry_id), p_now);
      END IF;
    END IF;
    p_items[v_item.n] := v_item;
  END LOOP;
  RETURN fn_batch_replays(p_items);
END $$;
COMMENT ON FUNCTION fn_batch_next IS
'Gives the keys of a batch''s refused uses, deleted by the caller, to those that came second to them: one after the other, until one is recorded; what comes after that is its duplicate or in conflict with it. Twins of the refused are none of these.';
