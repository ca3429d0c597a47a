CREATE OR REPLACE FUNCTION fn_item_assign(
  p_namespace namespaces, p_account_id uuid, p_account text, p_type resource_types, p_scope text, p_name text, p_metadata jsonb
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_resource CONSTANT text := p_type.resource_type_code;
  v_item inventory_items;
  v_now timestamptz;
  v_timezone text;
  v_suspended boolean;
  v_states entitlement_state[];
  v_limits limit_state[];
  v_verdicts limit_verdict[];
  v_was_over boolean;
  v_drawn record;
  v_entry consumption_ledger;
BEGIN
  IF coalesce(length(p_name), 0) NOT BETWEEN 1 AND 255 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'item must have 1 to 255 characters', 'item');
  END IF;
  IF NOT fn_lock_resource(p_account_id, v_resource, false) THEN
    RETURN fn_decide(p_namespace, p_account_id, v_resource, p_scope, fn_now(p_namespace.namespace_id), NULL, 1, 'assign')
      || '{"item":null,"duplicate":false}';
  END IF;
  SELECT fn_clock(n, clock_timestamp()), a.timezone, a.status = 'suspended' INTO v_now, v_timezone, v_suspended
  FROM namespaces n JOIN accounts a USING (namespace_id) WHERE a.account_id = p_account_id;
  SELECT i.* INTO v_item FROM inventory_items i
  WHERE i.account_id = p_account_id AND i.resource_type_code = v_resource AND i.item = p_name;
  IF FOUND THEN
    IF v_item.resource_scope IS DISTINCT FROM p_scope THEN
      PERFORM fn_fail(409, 'idempotency_conflict', 'this item is assigned in another scope: release it there first', 'scope');
    END IF;
    RETURN v_item.decision || jsonb_build_object('item', fn_item_json(v_item, p_account), 'duplicate', true);
  END IF;
  v_states := fn_entitlement_states(p_account_id, v_resource, p_scope, v_timezone, v_now, v_now, false);
  v_limits := fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, v_resource, v_now);
  v_verdicts := fn_verdicts(v_limits, v_suspended, 1, 'assign');
  IF NOT fn_allowed(v_verdicts) THEN
    RETURN fn_decision(v_limits, v_verdicts, v_suspended, p_account_id, v_resource, p_scope, 1, 'assign', v_now)
      || '{"item":null,"duplicate":false}';
  END IF;
  v_was_over := fn_exceeded(v_limits, 'inventory');
  v_item.namespace_id := p_namespace.namespace_id;
  v_item.account_id := p_account_id;
  v_item.resource_type_code := v_resource;
  v_item.item := p_name;
  v_item.resource_scope := p_scope;
  v_item.assigned_at := v_now;
  v_item.metadata := coalesce(nullif(p_metadata, 'null'), '{}');
  -- An item is of the stock, also where a cumulative entitlement would come first.
  v_drawn := fn_draw(ARRAY[fn_item_use(v_item, p_type, 1, v_now)], v_states,
    ARRAY(SELECT l FROM unnest(v_limits) l WHERE l.limit_kind_code = 'inventory'));
  v_item.entry_id := v_drawn.items[1].entry_id;
  v_item.decision := fn_decision(fn_limits_after(v_limits, v_drawn.states, 'inventory', v_now), v_verdicts, v_suspended,
    p_account_id, v_resource, p_scope, 1, 'assign', v_now);
  v_entry := fn_write_usage(p_namespace.namespace_id, p_account_id, v_resource, 'assignment', v_drawn.items, v_drawn.allocations, v_now);
  INSERT INTO inventory_items SELECT v_item.*;
  PERFORM fn_touch_resource(p_account_id, v_resource, v_now, 'inventory', v_drawn.states,
    v_was_over OR v_drawn.items[1].included_quantity < 1, v_was_over, p_head => v_entry);
  RETURN v_item.decision || jsonb_build_object('item', fn_item_json(v_item, p_account), 'duplicate', false);
END $$;
COMMENT ON FUNCTION fn_item_assign IS
'Assigns a named item to an account: the decision with the counts after it, item (null when denied) and duplicate: of one that it owns, what assigned it answered. p_account: the account as the caller writes it. Locks the resource; a denial writes nothing. Errors: ME409 idempotency_conflict (owned in another scope); ME400 invalid_parameter (item).';
