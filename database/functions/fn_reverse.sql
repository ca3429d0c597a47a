CREATE OR REPLACE FUNCTION fn_reverse(
  p_namespace namespaces, p_entry consumption_ledger, p_account text, p_key text, p_quantity numeric, p_reason text
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_hash bytea := fn_request_hash(p_entry.entry_id::text, trim_scale(p_quantity)::text);
  v_now timestamptz;
  v_timezone text;
  v_result jsonb;
  v_reversed numeric;
  v_item usage_item;
  v_states entitlement_state[];
  v_was_over boolean;
  v_kind text := CASE WHEN fn_moves_stock(p_entry.limit_kind_code) THEN 'inventory' ELSE p_entry.limit_kind_code END;
  v_allocations usage_allocation[];
  v_allocation usage_allocation;
  v_closed boolean;
  v_entry consumption_ledger;
BEGIN
  PERFORM fn_lock_resource(p_entry.account_id, p_entry.resource_type_code, true);
  v_now := fn_now(p_namespace.namespace_id);
  v_result := fn_replay(p_entry.account_id, p_key, 'reverse', v_hash);
  IF v_result IS NOT NULL THEN
    RETURN v_result - 'entry_id' || jsonb_build_object('entry', fn_entry((v_result ->> 'entry_id')::uuid, p_account), 'duplicate', true);
  END IF;
  IF p_entry.entry_kind <> 'usage' OR p_entry.quantity < 0 THEN
    PERFORM fn_fail(409, 'not_reversible',
      'only recorded use can be reversed: meter again what was given back by mistake; named items are released');
  END IF;
  v_reversed := -coalesce((SELECT sum(l.quantity) FROM consumption_ledger l WHERE l.reverses_entry_id = p_entry.entry_id), 0);
  IF p_quantity <= 0 OR scale(trim_scale(p_quantity)) > 6 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'quantity must be above 0 and have at most 6 decimals', 'quantity');
  ELSIF coalesce(p_quantity, 0) > p_entry.quantity - v_reversed OR v_reversed = p_entry.quantity THEN
    PERFORM fn_fail(409, 'over_reversal', format('only %s of the entry is left', fn_number(p_entry.quantity - v_reversed)), 'quantity');
  END IF;

  v_item.entry_id := fn_uuid7();
  v_item.idempotency_key := p_key;
  v_item.account_id := p_entry.account_id;
  v_item.resource_type_code := p_entry.resource_type_code;
  v_item.resource_scope := p_entry.resource_scope;
  v_item.limit_kind_code := p_entry.limit_kind_code;
  v_item.unit_code := p_entry.unit_code;
  v_item.original_unit_code := p_entry.unit_code;
  v_item.quantity := -trim_scale(coalesce(p_quantity, p_entry.quantity - v_reversed));
  v_item.original_quantity := v_item.quantity;
  v_item.metadata := jsonb_strip_nulls(jsonb_build_object('reason', p_reason));
  v_item.occurred_at := p_entry.occurred_at;
  v_item.counted_at := p_entry.counted_at;
  v_item.is_late := p_entry.is_late;
  SELECT a.timezone INTO v_timezone FROM accounts a WHERE a.account_id = p_entry.account_id;
  v_allocations := fn_reversal_draw(p_entry, v_reversed, -v_item.quantity);
  SELECT sum(a.included_quantity), sum(a.overage_quantity), sum(a.excess_quantity)
  INTO v_item.included_quantity, v_item.overage_quantity, v_item.excess_quantity FROM unnest(v_allocations) a;
  IF p_entry.limit_kind_code IS DISTINCT FROM 'cumulative' THEN
    v_allocations := '{}';
  END IF;
  IF v_kind = 'inventory' THEN
    PERFORM fn_fail_with(fn_balance_error(p_entry.account_id, p_entry.resource_type_code, p_entry.resource_scope, v_item.quantity));
  END IF;
  v_closed := EXISTS (
    SELECT FROM unnest(v_allocations) a
    WHERE fn_window_closed(p_namespace, p_entry.account_id, p_entry.resource_type_code, a.bucket_id, a.window_end, v_now)
  );
  IF v_closed THEN
    v_item.occurred_at := v_now;
    v_item.counted_at := v_now;
    v_item.is_late := true;
  END IF;
  FOR i IN 1 .. cardinality(v_allocations) LOOP
    v_allocation := v_allocations[i];
    v_allocation.entry_id := v_item.entry_id;
    v_allocation.counted_at := v_item.counted_at;
    IF v_closed THEN
      SELECT w.window_start, w.window_end INTO v_allocation.window_start, v_allocation.window_end
      FROM fn_window_now(p_namespace, p_entry.account_id, p_entry.resource_type_code, v_allocation.bucket_id, v_timezone, v_now) w;
    END IF;
    v_allocations[i] := v_allocation;
  END LOOP;

  v_states := fn_entitlement_states(p_entry.account_id, p_entry.resource_type_code, p_entry.resource_scope, v_timezone, v_now, v_now, false);
  v_was_over := fn_exceeded(fn_limit_states(v_states, p_namespace.namespace_id, p_entry.account_id, p_entry.resource_type_code, v_now), v_kind);
  v_states := CASE WHEN v_kind = 'inventory' THEN fn_give_back(v_states, v_item.quantity)
    ELSE fn_states_credited(v_states, v_allocations, v_now) END;
  v_result := jsonb_build_object('entry_id', v_item.entry_id,
    'state', fn_state_json(v_states, coalesce(v_item.limit_kind_code, fn_draw_kind(v_states))));
  PERFORM fn_remember(p_entry.account_id, p_key, 'reverse', v_hash, v_result, v_now);
  v_entry := fn_write_usage(p_namespace.namespace_id, p_entry.account_id, p_entry.resource_type_code, 'reversal', ARRAY[v_item], v_allocations, v_now,
    p_entry.entry_id);
  PERFORM fn_touch_resource(p_entry.account_id, p_entry.resource_type_code, v_now, v_kind, v_states, true, v_was_over, p_head => v_entry);
  RETURN v_result - 'entry_id' || jsonb_build_object('entry', fn_entry_json(v_entry, p_account, v_item.metadata), 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_reverse IS
'Takes back an entry, or p_quantity of it (null: all that is left): {entry, state, duplicate}, the state as it is now. Counts when the original does; when one of the windows it gives back to is closed, it occurs now, is late, and is credited to the present windows of the same buckets. Locks the resource. Errors: ME409 idempotency_conflict, not_reversible, over_reversal, negative_balance; ME400 invalid_parameter (quantity).';
