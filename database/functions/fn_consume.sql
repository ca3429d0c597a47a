CREATE OR REPLACE FUNCTION fn_consume(p_namespace namespaces, p_account_id uuid, p_account text, p_item usage_item) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_timezone text;
  v_suspended boolean;
  v_result jsonb;
  v_verdicts limit_verdict[];
  v_was_over boolean;
  v_allowed boolean;
  v_written boolean;
  v_states entitlement_state[];
  v_limits limit_state[];
  v_drawn record;
  v_entry consumption_ledger;
  v_view entitlement_view;
  v_snapshot jsonb;
BEGIN
  IF p_item.error IS NOT NULL THEN
    PERFORM fn_fail_with(p_item.error);
  END IF;
  -- Without the row there is no entitlement: the denial is all there is to do, and it leaves nothing behind.
  IF NOT fn_lock_resource(p_account_id, p_item.resource_type_code, false) THEN
    -- The key may have been used on another resource.
    PERFORM fn_replay(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash);
    RETURN fn_decide(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope,
      fn_now(p_namespace.namespace_id), NULL, p_item.quantity, 'consume') || '{"entry":null,"duplicate":false}';
  END IF;
  -- After the lock: the clock, and what may have changed while waiting for it.
  SELECT fn_clock(n, clock_timestamp()), a.timezone, a.status = 'suspended' INTO v_now, v_timezone, v_suspended
  FROM namespaces n JOIN accounts a USING (namespace_id) WHERE a.account_id = p_account_id;
  v_result := fn_replay(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash);
  IF v_result IS NOT NULL THEN
    RETURN v_result - 'entry_id' || jsonb_build_object('entry', fn_entry((v_result ->> 'entry_id')::uuid, p_account), 'duplicate', true);
  END IF;
  v_view := fn_entitlement_view(p_account_id, p_item.resource_type_code, p_item.resource_scope, v_timezone, v_now, v_now, false);
  v_states := v_view.states;
  v_limits := fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, p_item.resource_type_code, v_now);
  v_verdicts := fn_verdicts(v_limits, v_suspended, p_item.quantity, 'consume');
  v_allowed := fn_allowed(v_verdicts);
  IF v_allowed THEN
    p_item.occurred_at := v_now;
    p_item.counted_at := v_now;
    p_item.is_late := false;
    v_was_over := v_limits[v_verdicts[1].n].over > 0;
    v_drawn := fn_draw(ARRAY[p_item], v_states, v_limits);
    p_item := v_drawn.items[1];
    v_limits := fn_limits_after(v_limits, v_drawn.states, p_item.limit_kind_code, v_now);
  END IF;
  v_result := fn_decision(v_limits, v_verdicts, v_suspended, p_account_id, p_item.resource_type_code, p_item.resource_scope,
    p_item.quantity, 'consume', v_now);
  IF NOT v_allowed THEN
    RETURN v_result || '{"entry":null,"duplicate":false}';
  END IF;
  v_written := fn_remember(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash,
    v_result || jsonb_build_object('entry_id', p_item.entry_id), v_now);
  v_entry := fn_write_usage(p_namespace.namespace_id, p_account_id, p_item.resource_type_code, 'usage', v_drawn.items, v_drawn.allocations, v_now);
  v_written := fn_touch_resource(p_account_id, p_item.resource_type_code, v_now, p_item.limit_kind_code, v_drawn.states,
    v_was_over OR p_item.included_quantity < p_item.quantity, v_was_over);
  IF NOT v_was_over AND p_item.included_quantity = p_item.quantity THEN
    -- What is over moves clocks and caps that these limits do not show.
    v_snapshot := fn_snapshot_of(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope, v_suspended, v_limits, v_view.others,
      (SELECT s.key_version FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_item.resource_type_code), v_now);
    v_result := v_result || jsonb_build_object('changes', fn_told_alone(v_snapshot, p_account, p_account_id));
  END IF;
  RETURN v_result || jsonb_build_object('entry', fn_entry_json(v_entry, p_account, p_item.metadata), 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_consume IS
'Checks and records in one step: the decision with the counts after the write, entry (null when denied) and duplicate; changes, as fn_told would add them, unless a limit is or was exceeded. p_account: the account as the caller writes it. Locks the resource; a denial writes nothing. Errors: ME409 idempotency_conflict.';
