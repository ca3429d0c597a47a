CREATE OR REPLACE FUNCTION fn_balance_error(p_account_id uuid, p_resource text, p_scope text, p_quantity numeric) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_owned numeric := coalesce((
    SELECT t.quantity - (
      SELECT count(*) FROM inventory_items i
      WHERE i.account_id = t.account_id AND i.resource_type_code = t.resource_type_code AND coalesce(i.resource_scope, '') = t.resource_scope
    )
    FROM inventory_totals t
    WHERE t.account_id = p_account_id AND t.resource_type_code = p_resource AND t.resource_scope = coalesce(p_scope, '')
  ), 0);
BEGIN
  IF v_owned + p_quantity < 0 THEN
    RETURN fn_error(409, 'negative_balance',
      format('only %s can be given back; named items are released, not metered', fn_number(v_owned)), 'quantity');
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_balance_error IS
'Why a (negative) quantity cannot be taken off a stock (fn_error), or null: it never falls below the number of items assigned.';
