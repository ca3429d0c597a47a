CREATE OR REPLACE FUNCTION fn_consume(p_namespace namespaces, p_account_id uuid, p_account text, p_item usage_item) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_state resource_state;
  v_next continuation;
  v_now timestamptz;
  v_timezone text;
  v_suspended boolean;
  v_key_version bigint;
  v_known boolean;
  v_result jsonb;
  v_answers jsonb;
  v_snapshot jsonb;
  v_recorded jsonb;
  v_verdicts limit_verdict[];
  v_was_over boolean;
  v_allowed boolean;
  v_written boolean;
  v_view entitlement_view;
  v_rules control_rules[];
  v_limits limit_state[];
  v_drawn record;
  v_entry consumption_ledger;
BEGIN
  IF p_item.error IS NOT NULL THEN
    PERFORM fn_fail_with(p_item.error);
  END IF;
  -- The lock of fn_lock_resource, and what the last consume left to this one.
  SELECT s.* INTO v_state FROM resource_state s
  WHERE s.account_id = p_account_id AND s.resource_type_code = p_item.resource_type_code FOR UPDATE;
  -- Without the row there is no entitlement: the denial is all there is to do, and it leaves nothing behind.
  IF NOT FOUND THEN
    -- The key may have been used on another resource.
    PERFORM fn_replay(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash);
    RETURN jsonb_build_object('quantity', fn_number(p_item.quantity), 'verdicts', '[]'::jsonb, 'snapshot',
      fn_snapshot(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope, fn_now(p_namespace.namespace_id)),
      'entry', NULL, 'duplicate', false);
  END IF;
  v_result := fn_consume_continued(p_namespace, p_account, p_item, v_state);
  IF v_result IS NOT NULL THEN
    RETURN v_result;
  END IF;
  -- After the lock: the clock, and what may have changed while waiting for it.
  SELECT fn_clock(n, clock_timestamp()), a.timezone, a.status = 'suspended', s.key_version, k.account_id IS NOT NULL
  INTO v_now, v_timezone, v_suspended, v_key_version, v_known
  FROM namespaces n JOIN accounts a USING (namespace_id) JOIN resource_state s USING (account_id)
  LEFT JOIN idempotency_keys k ON k.account_id = a.account_id AND k.idempotency_key = p_item.idempotency_key
  WHERE a.account_id = p_account_id AND s.resource_type_code = p_item.resource_type_code;
  IF v_known THEN
    v_result := fn_replay(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash);
    RETURN v_result - 'entry_id' || jsonb_build_object('entry', fn_entry((v_result ->> 'entry_id')::uuid, p_account), 'duplicate', true);
  END IF;
  v_view := fn_entitlement_view(p_account_id, p_item.resource_type_code, p_item.resource_scope, v_timezone, v_now, v_now, false);
  v_rules := fn_rules(p_namespace.namespace_id, p_account_id, p_item.resource_type_code, ARRAY(SELECT s.plan_id FROM unnest(v_view.states) s));
  v_limits := fn_limits(v_view.states, v_rules, p_account_id, p_item.resource_type_code, v_now);
  v_verdicts := fn_verdicts(v_limits, v_suspended, p_item.quantity, 'consume');
  v_answers := fn_verdicts_json(v_limits, v_verdicts);
  v_allowed := fn_allowed(v_verdicts);
  IF v_allowed THEN
    p_item.occurred_at := v_now;
    p_item.counted_at := v_now;
    p_item.is_late := false;
    v_was_over := v_limits[v_verdicts[1].n].over > 0;
    v_drawn := fn_draw(ARRAY[p_item], v_view.states, v_limits);
    p_item := v_drawn.items[1];
    v_entry := fn_write_usage(p_namespace.namespace_id, p_account_id, p_item.resource_type_code, 'usage', v_drawn.items, v_drawn.allocations, v_now);
    v_written := fn_touch_resource(p_account_id, p_item.resource_type_code, v_now, p_item.limit_kind_code, v_drawn.states,
      v_was_over OR p_item.included_quantity < p_item.quantity, v_was_over, p_head => v_entry);
    v_key_version := v_key_version + 1;
    v_limits := fn_limits(v_drawn.states, v_rules, p_account_id, p_item.resource_type_code, v_now);
  END IF;
  v_snapshot := fn_snapshot_of(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope, v_suspended, v_limits,
    v_view.others, v_key_version, v_now);
  IF v_allowed THEN
    v_written := fn_remember(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash, jsonb_build_object(
      'quantity', fn_number(p_item.quantity), 'verdicts', v_answers, 'snapshot', v_snapshot, 'entry_id', p_item.entry_id), v_now);
    v_next := fn_continuation(p_account_id, p_item.resource_type_code, v_drawn.allocations, v_drawn.states, v_limits, v_snapshot, v_now);
    IF v_next.room > 0 THEN
      UPDATE resource_state s SET continuation = v_next
      WHERE s.account_id = p_account_id AND s.resource_type_code = p_item.resource_type_code;
    END IF;
    v_recorded := fn_entry_json(v_entry, p_account, p_item.metadata);
  END IF;
  RETURN jsonb_build_object('quantity', fn_number(p_item.quantity), 'verdicts', v_answers, 'snapshot', v_snapshot,
    'entry', v_recorded, 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_consume IS
'Checks and records in one step: {quantity (in the resource''s unit), verdicts, snapshot, entry, duplicate}. The verdicts are of before the write, the snapshot is of after it; entry is null when denied. p_account: the account as the caller writes it. Locks the resource; a denial writes nothing. Continues where the last one left off, if it can (fn_consume_continued), else decides from the start. Errors: ME409 idempotency_conflict.';
