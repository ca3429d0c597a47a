CREATE OR REPLACE FUNCTION fn_item_release(p_namespace namespaces, p_account_id uuid, p_account text, p_type resource_types, p_name text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_resource CONSTANT text := p_type.resource_type_code;
  v_item inventory_items;
  v_use usage_item;
  v_now timestamptz;
  v_timezone text;
  v_states entitlement_state[];
  v_was_over boolean;
  v_entry consumption_ledger;
BEGIN
  PERFORM fn_lock_resource(p_account_id, v_resource, false);
  SELECT fn_clock(n, clock_timestamp()), a.timezone INTO v_now, v_timezone
  FROM namespaces n JOIN accounts a USING (namespace_id) WHERE a.account_id = p_account_id;
  SELECT i.* INTO v_item FROM inventory_items i
  WHERE i.account_id = p_account_id AND i.resource_type_code = v_resource AND i.item = p_name;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'the account owns no such item', 'item');
  END IF;
  v_use := fn_item_use(v_item, p_type, -1, v_now);
  v_states := fn_entitlement_states(p_account_id, v_resource, v_item.resource_scope, v_timezone, v_now, v_now, false);
  v_was_over := fn_exceeded(fn_limit_states(v_states, p_namespace.namespace_id, p_account_id, v_resource, v_now), 'inventory');
  v_entry := fn_write_usage(p_namespace.namespace_id, p_account_id, v_resource, 'release', ARRAY[v_use], '{}', v_now);
  DELETE FROM inventory_items i WHERE i.account_id = p_account_id AND i.resource_type_code = v_resource AND i.item = p_name;
  v_states := fn_entitlement_states(p_account_id, v_resource, v_item.resource_scope, v_timezone, v_now, v_now, false);
  PERFORM fn_touch_resource(p_account_id, v_resource, v_now, 'inventory', v_states, true, v_was_over, p_head => v_entry);
  RETURN jsonb_build_object('item', fn_item_json(v_item, p_account), 'entry', fn_entry_json(v_entry, p_account, v_use.metadata),
    'state', fn_state_json(v_states, 'inventory'));
END $$;
COMMENT ON FUNCTION fn_item_release IS
'Gives a named item back, by an entry of -1: {item, entry, state}; it may be assigned again. p_account: the account as the caller writes it. Locks the resource. ME404 not_found.';
