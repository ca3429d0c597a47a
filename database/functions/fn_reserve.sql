CREATE OR REPLACE FUNCTION fn_reserve(
  p_idempotency_key text, p_account_id uuid, p_resource_type_code text, p_quantity numeric, p_ttl_seconds int, p_resource_scope text DEFAULT NULL
) RETURNS TABLE (
  granted boolean, reservation_id uuid, reason text, expires_at timestamptz,
  quantity_limit numeric, used numeric, held numeric, remaining numeric
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_account_namespace(p_account_id);
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_resource_type_code);
  v_result jsonb;
BEGIN
  PERFORM fn_require_text(p_idempotency_key, 'idempotency_key');
  PERFORM fn_require_scope(p_resource_scope);
  v_result := fn_reservation_create(v_namespace, p_account_id, p_account_id::text,
    fn_usage_item(v_namespace, v_type, p_account_id, p_resource_scope, p_quantity, NULL, p_idempotency_key, NULL, NULL, 'consume'), p_ttl_seconds);
  RETURN QUERY SELECT
    (v_result ->> 'allowed')::boolean, (v_result -> 'reservation' ->> 'reservation_id')::uuid, v_result ->> 'reason',
    (v_result -> 'reservation' ->> 'expires_at')::timestamptz,
    (v_result ->> 'limit')::numeric, (v_result ->> 'used')::numeric, (v_result ->> 'held')::numeric, (v_result ->> 'remaining')::numeric;
END $$;
COMMENT ON FUNCTION fn_reserve IS
'Holds a quantity for p_ttl_seconds, to be committed or released. granted false: reason says why, and nothing was written. Errors as POST /v1/reservations.';
