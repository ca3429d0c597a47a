CREATE OR REPLACE FUNCTION fn_item_use(p_item inventory_items, p_type resource_types, p_quantity int, p_now timestamptz) RETURNS usage_item
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_use usage_item;
BEGIN
  v_use.entry_id := fn_uuid7();
  -- Items are idempotent by themselves: no client's key stands here, and no name, which may be a person's.
  v_use.idempotency_key := v_use.entry_id;
  v_use.account_id := p_item.account_id;
  v_use.resource_type_code := p_item.resource_type_code;
  v_use.resource_scope := p_item.resource_scope;
  v_use.quantity := p_quantity;
  v_use.unit_code := p_type.unit_code;
  v_use.original_quantity := p_quantity;
  v_use.original_unit_code := p_type.unit_code;
  v_use.occurred_at := p_now;
  v_use.counted_at := p_now;
  v_use.is_late := false;
  v_use.metadata := p_item.metadata || jsonb_build_object('item', p_item.item);
  v_use.limit_kind_code := 'inventory';
  v_use.included_quantity := p_quantity;
  v_use.overage_quantity := 0;
  v_use.excess_quantity := 0;
  RETURN v_use;
END $$;
COMMENT ON FUNCTION fn_item_use IS
'The use that assigns (1) or releases (-1) a named item, in the resource''s own unit. Its details are the item''s, with its name as item.';
