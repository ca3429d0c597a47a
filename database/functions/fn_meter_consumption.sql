CREATE OR REPLACE FUNCTION fn_meter_consumption(
  p_idempotency_key text, p_account_id uuid, p_resource_type_code text, p_quantity numeric, p_unit_code text DEFAULT NULL,
  p_resource_scope text DEFAULT NULL, p_occurred_at timestamptz DEFAULT NULL, p_metadata jsonb DEFAULT '{}'
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_account_namespace(p_account_id);
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_resource_type_code);
BEGIN
  PERFORM fn_require_text(p_idempotency_key, 'idempotency_key');
  PERFORM fn_require_scope(p_resource_scope);
  PERFORM fn_require_metadata(p_metadata);
  IF p_occurred_at < '1970-01-01T00:00:00Z' THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'occurred_at must not be before 1970', 'occurred_at');
  END IF;
  RETURN fn_meter(v_namespace, p_account_id, p_account_id::text, fn_usage_item(v_namespace, v_type, p_account_id, p_resource_scope, p_quantity, p_unit_code,
    p_idempotency_key, p_occurred_at, p_metadata, 'meter')) ->> 'entry_id';
END $$;
COMMENT ON FUNCTION fn_meter_consumption IS
'Records usage, whatever the limits; gives the id of the ledger entry, the first one''s again for the same key. Errors as POST /v1/meter.';
