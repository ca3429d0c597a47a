CREATE OR REPLACE FUNCTION fn_meter(p_namespace namespaces, p_account_id uuid, p_account text, p_item usage_item) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_timezone text;
  v_result jsonb;
  v_items usage_item[];
  v_states entitlement_state[];
  v_limits limit_state[];
  v_allocations usage_allocation[];
  v_entry consumption_ledger;
BEGIN
  PERFORM fn_fail_with(p_item.error);
  PERFORM fn_lock_resource(p_account_id, p_item.resource_type_code, true);
  v_now := fn_now(p_namespace.namespace_id);
  v_result := fn_replay(p_account_id, p_item.idempotency_key, 'meter', p_item.request_hash);
  SELECT a.timezone INTO v_timezone FROM accounts a WHERE a.account_id = p_account_id;
  IF v_result IS NOT NULL THEN
    -- A batch keeps no state with its keys: there it is the present one.
    v_states := fn_entitlement_states(p_account_id, p_item.resource_type_code, p_item.resource_scope, v_timezone, v_now, v_now, false);
    RETURN jsonb_build_object('state', fn_state_json(v_states, fn_draw_kind(v_states))) || v_result
      || jsonb_build_object('entry', fn_entry((v_result ->> 'entry_id')::uuid, p_account), 'duplicate', true);
  END IF;
  p_item := fn_time_item(p_item, p_namespace, v_timezone, v_now);
  PERFORM fn_fail_with(p_item.error);
  SELECT u.counted_at, u.states INTO p_item.counted_at, v_states
  FROM fn_states_for_use(p_account_id, p_item.resource_type_code, p_item.resource_scope, v_timezone, v_now, p_item.counted_at) u;
  p_item.is_late := p_item.is_late
    OR p_item.counted_at = v_now AND fn_windows_over(v_states, v_timezone, p_item.occurred_at, v_now - p_namespace.late_arrival_grace);
  v_limits := fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, p_item.resource_type_code, v_now);
  PERFORM fn_fail_with(fn_negative_error(p_item, v_states));
  SELECT d.items, d.states, d.allocations INTO v_items, v_states, v_allocations FROM fn_draw(ARRAY[p_item], v_states, v_limits) d;
  p_item := v_items[1];
  IF p_item.quantity < 0 THEN
    -- What is given back frees the deepest scope first: laid afresh.
    v_states := fn_give_back(v_states, p_item.quantity);
  END IF;
  v_result := jsonb_build_object(
    'entry_id', p_item.entry_id,
    'state', fn_state_json(v_states, p_item.limit_kind_code));
  PERFORM fn_remember(p_account_id, p_item.idempotency_key, 'meter', p_item.request_hash, v_result, v_now);
  v_entry := fn_write_usage(p_namespace.namespace_id, p_account_id, p_item.resource_type_code, 'usage', v_items, v_allocations, v_now);
  PERFORM fn_touch_resource(p_account_id, p_item.resource_type_code, v_now, coalesce(p_item.limit_kind_code, ''), v_states, true,
    fn_exceeded(v_limits, p_item.limit_kind_code), p_head => v_entry);
  RETURN v_result || jsonb_build_object('entry', fn_entry_json(v_entry, p_account, p_item.metadata), 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_meter IS
'Records what happened, whatever the limits: {entry_id, entry, state, duplicate}. Locks the resource. Errors: ME409 idempotency_conflict, negative_balance; ME400 invalid_parameter (occurred_at, quantity).';
