CREATE OR REPLACE FUNCTION fn_consume_continued(p_namespace namespaces, p_account text, p_item usage_item, p_state resource_state) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  -- By the clock of before the lock, which is right if the configuration is still the same: asked again below.
  v_now timestamptz := fn_clock(p_namespace, clock_timestamp());
  v_next continuation := p_state.continuation;
  v_drawn usage_allocation;
  v_slot int;
  v_written boolean;
  v_result jsonb;
  v_entry consumption_ledger;
BEGIN
  IF v_next.room >= p_item.quantity
    AND fn_continues(v_next, p_state.key_version, p_namespace.config_version, p_item.resource_scope, v_now) THEN
    v_next.key_version := p_state.key_version + 1;
  ELSE
    RETURN NULL;
  END IF;
  v_next.room := v_next.room - p_item.quantity;
  v_next.snapshot := fn_snapshot_moved(v_next.snapshot, p_item.quantity, v_next.key_version, v_now);
  v_result := jsonb_build_object('quantity', fn_number(p_item.quantity), 'verdicts', v_next.verdicts, 'snapshot', v_next.snapshot);
  INSERT INTO idempotency_keys (account_id, idempotency_key, operation, request_hash, result, created_at)
  SELECT p_item.account_id, p_item.idempotency_key, 'consume', p_item.request_hash, v_result || jsonb_build_object('entry_id', p_item.entry_id), v_now
  FROM namespaces n WHERE n.namespace_id = p_namespace.namespace_id AND n.config_version = v_next.config_version
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;

  v_drawn := v_next.drawn;
  v_drawn.counted_at := v_now;
  v_drawn.included_quantity := p_item.quantity;
  v_drawn.billable_quantity := CASE WHEN v_drawn.billable_quantity > 0 THEN p_item.quantity ELSE 0 END;
  v_slot := fn_quarter(v_now);
  v_entry := ROW(p_item.entry_id, p_namespace.namespace_id, p_item.account_id, p_item.resource_type_code, p_item.resource_scope, 'usage', 'cumulative',
    p_item.idempotency_key, p_item.quantity, p_item.unit_code, p_item.original_quantity, p_item.original_unit_code, v_now, v_now, v_now, false,
    NULL, p_item.quantity, 0, 0, CASE WHEN p_item.metadata <> '{}' THEN fn_store_details(p_item.entry_id, p_item.account_id, p_item.metadata) END,
    p_state.chain_seq + 1, NULL);
  v_entry.chain_hash := fn_entry_hash(p_state.chain_hash, v_entry, ARRAY[v_drawn]);
  WITH entry AS (
    INSERT INTO consumption_ledger SELECT v_entry.*
  ), drawn AS (
    INSERT INTO consumption_allocations (entry_id, entitlement_id, account_id, resource_type_code, bucket_id, window_start, window_end,
      counted_at, included_quantity, overage_quantity, excess_quantity, billable_quantity, overage_multiplier)
    VALUES (p_item.entry_id, v_drawn.entitlement_id, p_item.account_id, p_item.resource_type_code, v_drawn.bucket_id, v_drawn.window_start,
      v_drawn.window_end, v_now, p_item.quantity, 0, 0, v_drawn.billable_quantity, v_drawn.overage_multiplier)
  ), counted AS (
    -- The use before this one began the row.
    UPDATE entitlement_windows w SET
      used = w.used + p_item.quantity,
      included_quantity = w.included_quantity + p_item.quantity,
      billable_quantity = w.billable_quantity + v_drawn.billable_quantity,
      billable_amount = w.billable_amount + v_drawn.billable_quantity * v_drawn.overage_multiplier
    WHERE w.account_id = p_item.account_id AND w.resource_type_code = p_item.resource_type_code
      AND w.window_end = v_drawn.window_end AND w.bucket_id = v_drawn.bucket_id
  ), rolled_up AS (
    INSERT INTO usage_rollups AS r (account_id, resource_type_code, bucket_id, day, quantity, overage_quantity, quarters, overage_quarters)
    VALUES (p_item.account_id, p_item.resource_type_code, v_drawn.bucket_id, (v_now AT TIME ZONE 'UTC')::date, p_item.quantity, 0,
      array_fill(p_item.quantity, ARRAY[1], ARRAY[v_slot]), array_fill(NULL::numeric, ARRAY[1], ARRAY[v_slot]))
    ON CONFLICT (account_id, resource_type_code, bucket_id, day) DO UPDATE SET
      quantity = r.quantity + excluded.quantity,
      quarters[v_slot] = coalesce(r.quarters[v_slot], 0) + p_item.quantity
  )
  UPDATE resource_state s SET key_version = v_next.key_version, continuation = v_next,
    chain_seq = v_entry.chain_seq, chain_hash = v_entry.chain_hash
  WHERE s.account_id = p_item.account_id AND s.resource_type_code = p_item.resource_type_code;
  IF v_drawn.entitlement_id <> v_drawn.bucket_id THEN
    v_written := fn_count_parts(p_item.account_id, p_item.resource_type_code, ARRAY[v_drawn]);
  END IF;
  RETURN v_result || jsonb_build_object('entry', fn_entry_json(v_entry, p_account, p_item.metadata), 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_consume_continued IS
'fn_consume, where the last one left a continuation in which this use has room: p_state, the locked row of the resource. Nothing is decided here; it writes what fn_write_usage and fn_touch_resource would, of one use within the limit in one statement. Null, with nothing written: there is no such continuation, its versions are outdated, or the key is known.';
