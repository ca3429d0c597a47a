CREATE OR REPLACE FUNCTION fn_usage_item(
  p_namespace namespaces, p_type resource_types, p_account_id uuid, p_scope text, p_quantity numeric, p_unit text,
  p_key text, p_occurred_at timestamptz, p_metadata jsonb, p_operation text
) RETURNS usage_item
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_item usage_item;
BEGIN
  v_item.idempotency_key := p_key;
  v_item.account_id := p_account_id;
  v_item.resource_type_code := p_type.resource_type_code;
  v_item.resource_scope := p_scope;
  v_item.original_quantity := trim_scale(p_quantity);
  v_item.original_unit_code := coalesce(p_unit, p_type.unit_code);
  v_item.unit_code := p_type.unit_code;
  v_item.quantity := v_item.original_quantity;
  IF v_item.original_unit_code <> p_type.unit_code THEN
    v_item.quantity := trim_scale(fn_convert_quantity(p_namespace.namespace_id, p_quantity, v_item.original_unit_code, p_type.unit_code));
    IF v_item.quantity IS NULL AND p_quantity IS NOT NULL THEN
      v_item.error := fn_error(400, 'unit_mismatch',
        format('unit %s cannot be converted to %s, the unit of the resource', to_json(p_unit), p_type.unit_code), 'unit');
      RETURN v_item;
    END IF;
  END IF;
  IF fn_is_quantity(v_item.quantity) IS NOT TRUE OR v_item.quantity = 0 OR (p_operation = 'consume' AND v_item.quantity < 0)
    OR (v_item.original_unit_code <> v_item.unit_code AND NOT fn_is_quantity(v_item.original_quantity)) THEN
    v_item.error := fn_error(400, 'invalid_parameter',
      format('quantity must be %s 0, below 10^15 and have at most 15 significant digits and 6 decimals, also in %s, the unit of the resource',
        CASE p_operation WHEN 'consume' THEN 'above' ELSE 'other than' END, p_type.unit_code), 'quantity');
    RETURN v_item;
  END IF;
  IF p_key IS NULL OR length(p_key) NOT BETWEEN 1 AND 255 THEN
    v_item.error := fn_error(400, 'invalid_parameter', 'idempotency_key must have 1 to 255 characters', 'idempotency_key');
    RETURN v_item;
  END IF;
  v_item.occurred_at := p_occurred_at;
  v_item.metadata := coalesce(nullif(p_metadata, 'null'), '{}');
  v_item.entry_id := fn_uuid7();
  v_item.request_hash := fn_request_hash(v_item.resource_type_code, p_scope, v_item.original_quantity::text,
    v_item.original_unit_code, fn_rfc3339(p_occurred_at));
  RETURN v_item;
END $$;
COMMENT ON FUNCTION fn_usage_item IS
'A use as it was asked for, its quantity in the resource''s unit; error says what is wrong with it: invalid_parameter (quantity, idempotency_key), unit_mismatch (unit).';
