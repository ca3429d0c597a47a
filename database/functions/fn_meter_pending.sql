CREATE OR REPLACE FUNCTION fn_meter_pending(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_items usage_item[], p_states entitlement_state[], p_now timestamptz
) RETURNS usage_item[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_limits limit_state[];
  v_states entitlement_state[];
  v_items usage_item[];
  v_allocations usage_allocation[];
  v_entry consumption_ledger;
BEGIN
  IF cardinality(p_items) = 0 THEN
    RETURN p_items;
  END IF;
  v_limits := fn_limit_states(p_states, p_namespace.namespace_id, p_account_id, p_resource, p_now);
  SELECT d.items, d.states, d.allocations INTO v_items, v_states, v_allocations FROM fn_draw(p_items, p_states, v_limits) d;
  v_entry := fn_write_usage(p_namespace.namespace_id, p_account_id, p_resource, 'usage', v_items, v_allocations, p_now);
  PERFORM fn_touch_resource(p_account_id, p_resource, p_now, coalesce(v_items[1].limit_kind_code, ''), v_states, true,
    fn_exceeded(v_limits, v_items[1].limit_kind_code), p_head => v_entry);
  RETURN v_items;
END $$;
COMMENT ON FUNCTION fn_meter_pending IS 'Draws uses that share their states, and writes them.';
