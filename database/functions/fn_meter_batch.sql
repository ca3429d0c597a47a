CREATE OR REPLACE FUNCTION fn_meter_batch(p_namespace namespaces, p_entries jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_items usage_item[] := fn_batch_items(p_namespace, p_entries);
  v_group record;
BEGIN
  INSERT INTO accounts (account_id, namespace_id, external_id)
  SELECT DISTINCT ON (i.account_id) i.account_id, p_namespace.namespace_id, nullif(e.entry ->> 'account_id', i.account_id::text)
  FROM unnest(v_items) i JOIN jsonb_array_elements(p_entries) WITH ORDINALITY e (entry, n) USING (n)
  WHERE i.error IS NULL AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = i.account_id)
  ORDER BY i.account_id ON CONFLICT DO NOTHING;
  IF EXISTS (SELECT FROM unnest(v_items) i JOIN accounts a USING (account_id) WHERE a.namespace_id <> p_namespace.namespace_id) THEN
    RAISE serialization_failure USING MESSAGE = 'another namespace has just taken one of these UUIDs: try again';
  END IF;
  INSERT INTO resource_state (account_id, resource_type_code)
  SELECT DISTINCT i.account_id, i.resource_type_code COLLATE "C" FROM unnest(v_items) i
  WHERE i.error IS NULL
    AND NOT EXISTS (SELECT FROM resource_state s WHERE s.account_id = i.account_id AND s.resource_type_code = i.resource_type_code)
  ORDER BY 1, 2 ON CONFLICT DO NOTHING;
  PERFORM FROM resource_state s
  WHERE (s.account_id, s.resource_type_code) IN (SELECT i.account_id, i.resource_type_code FROM unnest(v_items) i WHERE i.error IS NULL)
  ORDER BY s.account_id, s.resource_type_code FOR UPDATE;
  v_now := fn_now(p_namespace.namespace_id);
  v_items := fn_batch_replays(v_items);

  INSERT INTO idempotency_keys (account_id, idempotency_key, operation, request_hash, result, created_at)
  SELECT i.account_id, i.idempotency_key, 'meter', i.request_hash, jsonb_build_object('entry_id', i.entry_id), v_now
  FROM unnest(v_items) i WHERE i.status IS NULL
  ORDER BY i.account_id, i.idempotency_key COLLATE "C" ON CONFLICT DO NOTHING;

  FOR v_group IN
    SELECT i.account_id, i.resource_type_code, i.resource_scope,
      array_agg(ROW(i.*)::usage_item ORDER BY i.occurred_at NULLS LAST, i.n) AS items
    FROM unnest(v_items) i
    WHERE i.status IS NULL
      -- A command on another resource may have taken the key meanwhile.
      AND EXISTS (SELECT FROM idempotency_keys k WHERE k.account_id = i.account_id AND k.idempotency_key = i.idempotency_key
        AND k.result ->> 'entry_id' = i.entry_id::text)
    GROUP BY i.account_id, i.resource_type_code, i.resource_scope
    ORDER BY i.account_id, i.resource_type_code, i.resource_scope
  LOOP
    v_items := fn_batch_settle(v_items, fn_meter_group(p_namespace, v_group.account_id, v_group.resource_type_code, v_group.resource_scope, v_group.items, v_now));
  END LOOP;
  -- What was refused after all does not use up its key.
  DELETE FROM idempotency_keys k USING unnest(v_items) i
  WHERE i.status = 'invalid' AND k.account_id = i.account_id AND k.idempotency_key = i.idempotency_key AND k.result ->> 'entry_id' = i.entry_id::text;
  RETURN fn_batch_results(v_items, p_entries);
END $$;
COMMENT ON FUNCTION fn_meter_batch IS
'Records up to 1000 uses, each on its own: a bad one does not fail the others. Locks all their resources in order, then takes their keys in order. Gives [{index, status: recorded|duplicate|conflict|invalid, entry, error}].';
