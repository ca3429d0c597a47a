CREATE OR REPLACE FUNCTION fn_negative_error(p_item usage_item, p_states entitlement_state[]) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
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
  RETURN fn_balance_error(p_item.account_id, p_item.resource_type_code, p_item.resource_scope, p_item.quantity);
END $$;
COMMENT ON FUNCTION fn_negative_error IS
'Why a negative quantity cannot be recorded (fn_error), or null: only inventory can be given back, and never below the number of items assigned.';
