CREATE OR REPLACE FUNCTION fn_negative_error(p_item usage_item, p_states entitlement_state[]) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_owned numeric;
BEGIN
  IF p_item.quantity > 0 THEN
    RETURN NULL;
  END IF;
  IF NOT fn_moves_stock(fn_draw_kind(p_states)) OR NOT EXISTS (
    SELECT FROM entitlements e
    WHERE e.account_id = p_item.account_id AND e.resource_type_code = p_item.resource_type_code AND e.limit_kind_code = 'inventory'
  ) THEN
    RETURN fn_error(400, 'invalid_parameter',
      'quantity may be negative only for inventory; to take usage back, reverse its entry', 'quantity');
  END IF;
  SELECT t.quantity - (
    SELECT count(*) FROM inventory_items i
    WHERE i.account_id = t.account_id AND i.resource_type_code = t.resource_type_code AND coalesce(i.resource_scope, '') = t.resource_scope
  ) INTO v_owned
  FROM inventory_totals t
  WHERE t.account_id = p_item.account_id AND t.resource_type_code = p_item.resource_type_code
    AND t.resource_scope = coalesce(p_item.resource_scope, '');
  IF coalesce(v_owned, 0) + p_item.quantity < 0 THEN
    RETURN fn_error(409, 'negative_balance',
      format('only %s can be given back; named items are released, not metered', fn_number(coalesce(v_owned, 0))), 'quantity');
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_negative_error IS
'Why a negative quantity cannot be recorded (fn_error), or null: only inventory can be given back, and never below the number of items assigned.';
