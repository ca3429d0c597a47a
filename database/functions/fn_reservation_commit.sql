CREATE OR REPLACE FUNCTION fn_reservation_commit(p_reservation reservations, p_account text, p_quantity numeric, p_metadata jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_quantity numeric := trim_scale(coalesce(p_quantity, p_reservation.quantity));
  v_namespace namespaces;
  v_timezone text;
  v_now timestamptz;
  v_at timestamptz;
  v_status text;
  v_item usage_item;
  v_drawn record;
  v_states entitlement_state[];
  v_limits limit_state[];
  v_entry consumption_ledger;
BEGIN
  SELECT n.* INTO v_namespace FROM namespaces n WHERE n.namespace_id = p_reservation.namespace_id;
  v_now := fn_clock(v_namespace, clock_timestamp());
  v_status := fn_reservation_status(p_reservation, v_now);
  IF v_status = 'committed' THEN
    IF p_reservation.committed_quantity <> v_quantity THEN
      PERFORM fn_fail(409, 'already_committed',
        format('the reservation was committed with the quantity %s', fn_number(p_reservation.committed_quantity)), 'quantity');
    END IF;
    RETURN jsonb_build_object('reservation', fn_reservation_json(p_reservation, p_account, v_now),
      'entry', fn_entry(p_reservation.entry_id, p_account), 'state', p_reservation.committed_state, 'duplicate', true);
  ELSIF v_status <> 'held' THEN
    PERFORM fn_fail(410, 'reservation_' || v_status, format('the reservation is %s: it holds nothing any more', v_status));
  END IF;
  v_at := v_now;
  IF v_quantity <> 0 THEN
    v_item := fn_usage_item(v_namespace, fn_resource_type(v_namespace.namespace_id, p_reservation.resource_type_code),
      p_reservation.account_id, p_reservation.resource_scope, v_quantity, NULL, p_reservation.idempotency_key, NULL, p_metadata, 'consume');
    PERFORM fn_fail_with(v_item.error);
    -- In the windows that it held: when one of them is over, at its last instant; when a test clock was set back, at the first.
    SELECT greatest(least(v_now, min(a.window_end) - interval '1 millisecond'), max(a.window_start)) INTO v_at
    FROM reservation_allocations a WHERE a.reservation_id = p_reservation.reservation_id AND a.held_until = 'infinity';
  END IF;
  SELECT a.timezone INTO v_timezone FROM accounts a WHERE a.account_id = p_reservation.account_id;
  v_states := fn_entitlement_states(p_reservation.account_id, p_reservation.resource_type_code, p_reservation.resource_scope,
    v_timezone, v_now, v_at, false);
  v_limits := fn_limit_states(v_states, v_namespace.namespace_id, p_reservation.account_id, p_reservation.resource_type_code, v_now);
  IF v_quantity <> 0 THEN
    v_item.occurred_at := v_at;
    v_item.counted_at := v_at;
    v_item.is_late := false;
    v_drawn := fn_draw_held(v_item, p_reservation, v_states, v_limits);
    v_entry := fn_write_usage(v_namespace.namespace_id, p_reservation.account_id, p_reservation.resource_type_code, 'usage',
      ARRAY[v_drawn.item], v_drawn.allocations, v_now);
  END IF;
  UPDATE reservations r SET end_status = 'committed', ended_at = v_at, entry_id = v_entry.entry_id, committed_quantity = v_quantity
  WHERE r.reservation_id = p_reservation.reservation_id;
  v_states := fn_entitlement_states(p_reservation.account_id, p_reservation.resource_type_code, p_reservation.resource_scope,
    v_timezone, v_now, v_at, false);
  UPDATE reservations r SET committed_state = fn_state_json(v_states, p_reservation.limit_kind_code)
  WHERE r.reservation_id = p_reservation.reservation_id RETURNING r.* INTO p_reservation;
  PERFORM fn_touch_resource(p_reservation.account_id, p_reservation.resource_type_code, v_now, p_reservation.limit_kind_code, v_states,
    true, fn_exceeded(v_limits, p_reservation.limit_kind_code), p_head => v_entry);
  RETURN jsonb_build_object('reservation', fn_reservation_json(p_reservation, p_account, v_now),
    'entry', CASE WHEN v_quantity <> 0 THEN fn_entry_json(v_entry, p_account, v_item.metadata) END,
    'state', p_reservation.committed_state, 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_reservation_commit IS
'Records what a reservation, locked by the caller, was used for (null: all that it held; 0: nothing), whatever the limits, and ends it: {reservation, entry, state, duplicate}. The use occurs now, or at the last instant of a window it held that is over. Errors: ME409 already_committed (with another quantity); ME410 reservation_released, reservation_expired; ME400 invalid_parameter (quantity).';
