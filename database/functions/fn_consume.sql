CREATE OR REPLACE FUNCTION fn_consume(p_namespace namespaces, p_account_id uuid, p_item usage_item) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_account accounts;
  v_result jsonb;
  v_decision jsonb;
  v_items usage_item[];
  v_states entitlement_state[];
  v_limits limit_state[];
  v_allocations usage_allocation[];
BEGIN
  PERFORM fn_fail_with(p_item.error);
  -- Without the row there is no entitlement: the denial is all there is to do, and it leaves nothing behind.
  IF NOT fn_lock_resource(p_account_id, p_item.resource_type_code, false) THEN
    v_now := fn_now(p_namespace.namespace_id);
    RETURN fn_decide(fn_snapshot(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope, v_now), p_item.quantity, 'consume')
      || jsonb_build_object('entry_id', NULL, 'duplicate', false);
  END IF;
  v_now := fn_now(p_namespace.namespace_id);
  v_result := fn_replay(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash);
  IF v_result IS NOT NULL THEN
    RETURN v_result || jsonb_build_object('duplicate', true);
  END IF;
  SELECT a.* INTO v_account FROM accounts a WHERE a.account_id = p_account_id;
  v_states := fn_entitlement_states(p_account_id, p_item.resource_type_code, p_item.resource_scope, v_account.timezone, v_now, v_now, false);
  v_limits := fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, p_item.resource_type_code, v_now);
  v_decision := fn_decide(
    fn_snapshot_of(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope, v_account.status = 'suspended', v_limits, v_now),
    p_item.quantity, 'consume');
  IF NOT (v_decision ->> 'allowed')::boolean THEN
    RETURN v_decision || jsonb_build_object('entry_id', NULL, 'duplicate', false);
  END IF;
  p_item.occurred_at := v_now;
  p_item.counted_at := v_now;
  p_item.is_late := false;
  SELECT d.items, d.states, d.allocations INTO v_items, v_states, v_allocations FROM fn_draw(ARRAY[p_item], v_states, v_limits) d;
  p_item := v_items[1];
  v_decision := fn_decision_after(v_decision, p_item.limit_kind_code, v_states, v_limits, v_now);
  v_result := v_decision || jsonb_build_object('entry_id', p_item.entry_id);
  PERFORM fn_remember(p_account_id, p_item.idempotency_key, 'consume', p_item.request_hash, v_result, v_now);
  PERFORM fn_write_usage(p_namespace.namespace_id, p_account_id, p_item.resource_type_code, 'usage', v_items, v_allocations, v_now);
  PERFORM fn_touch_resource(p_account_id, p_item.resource_type_code, v_now, p_item.limit_kind_code, v_states,
    (SELECT bool_or(l.over > 0) FROM unnest(v_limits) l WHERE l.limit_kind_code = p_item.limit_kind_code));
  RETURN v_result || jsonb_build_object('duplicate', false);
END $$;
COMMENT ON FUNCTION fn_consume IS
'Checks and records in one step: the decision with the counts after the write, entry_id (null when denied) and duplicate. Locks the resource; a denial writes nothing. Errors: ME409 idempotency_conflict.';
