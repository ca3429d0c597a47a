CREATE OR REPLACE FUNCTION fn_meter_batch(p_namespace namespaces, p_entries jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_items usage_item[] := fn_batch_items(p_namespace, p_entries);
  v_new int;
  v_group record;
  v_item usage_item;
BEGIN
  INSERT INTO accounts (account_id, namespace_id, external_id)
  SELECT a.account_id, p_namespace.namespace_id, nullif(p_entries -> (a.n - 1) ->> 'account_id', a.account_id::text)
  FROM (SELECT i.account_id, min(i.n) AS n FROM unnest(v_items) i WHERE i.error IS NULL GROUP BY i.account_id) a
  WHERE NOT EXISTS (SELECT FROM accounts o WHERE o.account_id = a.account_id)
  ORDER BY a.account_id ON CONFLICT DO NOTHING;
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT i.account_id FROM unnest(v_items) i) i JOIN accounts a USING (account_id)
    WHERE a.namespace_id <> p_namespace.namespace_id
  ) THEN
    RAISE serialization_failure USING MESSAGE = 'another namespace has just taken one of these UUIDs: try again';
  END IF;
  INSERT INTO resource_state (account_id, resource_type_code)
  SELECT k.account_id, k.resource_type_code
  FROM (SELECT DISTINCT i.account_id, i.resource_type_code COLLATE "C" AS resource_type_code FROM unnest(v_items) i WHERE i.error IS NULL) k
  WHERE NOT EXISTS (SELECT FROM resource_state s WHERE s.account_id = k.account_id AND s.resource_type_code = k.resource_type_code)
  ORDER BY 1, 2 ON CONFLICT DO NOTHING;
  PERFORM FROM resource_state s
  WHERE (s.account_id, s.resource_type_code) IN (SELECT i.account_id, i.resource_type_code FROM unnest(v_items) i WHERE i.error IS NULL)
  ORDER BY s.account_id, s.resource_type_code FOR UPDATE;
  v_now := fn_now(p_namespace.namespace_id);

  -- Of several entries with one key the first counts.
  INSERT INTO idempotency_keys (account_id, idempotency_key, operation, request_hash, result, created_at)
  SELECT i.account_id, i.idempotency_key, 'meter', i.request_hash, jsonb_build_object('entry_id', i.entry_id), v_now
  FROM unnest(v_items) i WHERE i.status IS NULL
  ORDER BY i.account_id, i.idempotency_key COLLATE "C", i.n ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_new = ROW_COUNT;
  IF v_new < (SELECT count(*) FROM unnest(v_items) i WHERE i.status IS NULL) THEN
    v_items := fn_batch_replays(v_items);
  END IF;

  FOR v_group IN
    SELECT i.account_id, i.resource_type_code, i.resource_scope, array_agg(i ORDER BY i.occurred_at NULLS LAST, i.n) AS items
    FROM unnest(v_items) i WHERE i.status IS NULL
    GROUP BY i.account_id, i.resource_type_code, i.resource_scope
    ORDER BY i.account_id, i.resource_type_code COLLATE "C", i.resource_scope COLLATE "C"
  LOOP
    -- In place: a function would copy the whole batch for each group.
    FOREACH v_item IN ARRAY fn_meter_group(
      p_namespace, v_group.account_id, v_group.resource_type_code, v_group.resource_scope, v_group.items, v_now)
    LOOP
      v_items[v_item.n] := v_item;
    END LOOP;
  END LOOP;
  -- What was refused after all does not use up its key.
  DELETE FROM idempotency_keys k USING unnest(v_items) i
  WHERE i.status = 'invalid' AND k.account_id = i.account_id AND k.idempotency_key = i.idempotency_key AND k.result ->> 'entry_id' = i.entry_id::text;
  IF FOUND THEN
    v_items := fn_batch_next(p_namespace, v_items, v_now);
  END IF;
  RETURN fn_batch_results(v_items, p_entries);
END $$;
COMMENT ON FUNCTION fn_meter_batch IS
'Records up to 1000 uses, each on its own: a bad one does not fail the others, nor take a key from them. Locks all their resources in order, then takes their keys in order. Gives [{index, status: recorded|duplicate|conflict|invalid, entry, error}].';
