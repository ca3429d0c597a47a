CREATE OR REPLACE FUNCTION fn_reservation_create(
  p_namespace namespaces, p_account_id uuid, p_account text, p_item usage_item, p_ttl_seconds int
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_timezone text;
  v_suspended boolean;
  v_result jsonb;
  v_states entitlement_state[];
  v_limits limit_state[];
  v_verdicts limit_verdict[];
  v_was_over boolean;
  v_drawn record;
  v_hold reservations;
BEGIN
  PERFORM fn_fail_with(p_item.error);
  IF p_ttl_seconds IS NULL OR p_ttl_seconds NOT BETWEEN 1 AND 86400 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'ttl_seconds must be from 1 to 86400', 'ttl_seconds');
  END IF;
  -- Without the row there is no entitlement: the denial is all there is to do, and it leaves nothing behind.
  IF NOT fn_lock_resource(p_account_id, p_item.resource_type_code, false) THEN
    -- The key may have been used on another resource.
    PERFORM fn_replay(p_account_id, p_item.idempotency_key, 'reserve', p_item.request_hash);
    RETURN fn_decide(p_namespace, p_account_id, p_item.resource_type_code, p_item.resource_scope,
      fn_now(p_namespace.namespace_id), NULL, p_item.quantity, 'consume') || '{"reservation":null,"duplicate":false}';
  END IF;
  SELECT fn_clock(n, clock_timestamp()), a.timezone, a.status = 'suspended' INTO v_now, v_timezone, v_suspended
  FROM namespaces n JOIN accounts a USING (namespace_id) WHERE a.account_id = p_account_id;
  v_result := fn_replay(p_account_id, p_item.idempotency_key, 'reserve', p_item.request_hash);
  IF v_result IS NOT NULL THEN
    RETURN v_result || jsonb_build_object('duplicate', true,
      'reservation', (v_result -> 'reservation') || jsonb_build_object('account_id', p_account));
  END IF;
  v_states := fn_entitlement_states(p_account_id, p_item.resource_type_code, p_item.resource_scope, v_timezone, v_now, v_now, false);
  v_limits := fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, p_item.resource_type_code, v_now);
  v_verdicts := fn_verdicts(v_limits, v_suspended, p_item.quantity, 'consume');
  IF NOT fn_allowed(v_verdicts) THEN
    RETURN fn_decision(v_limits, v_verdicts, v_suspended, p_account_id, p_item.resource_type_code, p_item.resource_scope,
      p_item.quantity, 'consume', v_now) || '{"reservation":null,"duplicate":false}';
  END IF;
  v_was_over := v_limits[v_verdicts[1].n].over > 0;
  v_drawn := fn_draw(ARRAY[p_item], v_states, v_limits);
  p_item := v_drawn.items[1];
  -- Held instead of used.
  FOR i IN 1 .. cardinality(v_states) LOOP
    v_states[i].held := v_states[i].held + v_drawn.states[i].used - v_states[i].used;
    v_states[i].overage := v_drawn.states[i].overage;
  END LOOP;
  v_hold.reservation_id := fn_uuid7();
  v_hold.namespace_id := p_namespace.namespace_id;
  v_hold.account_id := p_account_id;
  v_hold.resource_type_code := p_item.resource_type_code;
  v_hold.resource_scope := p_item.resource_scope;
  v_hold.idempotency_key := p_item.idempotency_key;
  v_hold.limit_kind_code := p_item.limit_kind_code;
  v_hold.quantity := p_item.quantity;
  v_hold.overage_quantity := p_item.overage_quantity;
  v_hold.reserved_at := v_now;
  v_hold.expires_at := v_now + make_interval(secs => p_ttl_seconds);
  v_result := fn_decision(fn_limits_after(v_limits, v_states, p_item.limit_kind_code, v_now), v_verdicts, v_suspended,
      p_account_id, p_item.resource_type_code, p_item.resource_scope, p_item.quantity, 'consume', v_now)
    || jsonb_build_object('reservation', fn_reservation_json(v_hold, p_account, v_now));
  PERFORM fn_remember(p_account_id, p_item.idempotency_key, 'reserve', p_item.request_hash, v_result #- '{reservation,account_id}', v_now);
  INSERT INTO reservations SELECT v_hold.*;
  INSERT INTO reservation_allocations (reservation_id, entitlement_id, draw_order, bucket_id, window_start, window_end,
    included_quantity, overage_quantity)
  SELECT v_hold.reservation_id, a.entitlement_id, a.ordinality, a.bucket_id, a.window_start, a.window_end, a.included_quantity, a.overage_quantity
  FROM unnest(v_drawn.allocations) WITH ORDINALITY a;
  -- A window that is held has begun: it keeps its bounds, whatever timezone the account moves to.
  PERFORM fn_count_use(p_account_id, p_item.resource_type_code, a.bucket_id, a.window_start, a.window_end, 0, 0, 0, 0, 0)
  FROM unnest(v_drawn.allocations) a;
  PERFORM fn_touch_resource(p_account_id, p_item.resource_type_code, v_now, p_item.limit_kind_code, v_states,
    v_was_over OR p_item.overage_quantity > 0, v_was_over);
  RETURN v_result || '{"duplicate":false}';
END $$;
COMMENT ON FUNCTION fn_reservation_create IS
'Holds a quantity for p_ttl_seconds, if a consume of it were allowed: the decision with the counts after it, reservation (null when denied) and duplicate. p_account: the account as the caller writes it. Locks the resource; a denial writes nothing. Errors: ME409 idempotency_conflict; ME400 invalid_parameter (quantity, ttl_seconds).';
