CREATE OR REPLACE FUNCTION fn_assign_item(
  p_account_id uuid, p_resource_type_code text, p_item text, p_resource_scope text DEFAULT NULL, p_metadata jsonb DEFAULT '{}'
) RETURNS TABLE (assigned boolean, entry_id uuid, reason text, quantity_limit numeric, used numeric, remaining numeric)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_account_namespace(p_account_id);
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_resource_type_code);
  v_result jsonb;
BEGIN
  PERFORM fn_require_text(p_item, 'item');
  PERFORM fn_require_scope(p_resource_scope);
  PERFORM fn_require_metadata(p_metadata);
  v_result := fn_item_assign(v_namespace, p_account_id, p_account_id::text, v_type, p_resource_scope, p_item, p_metadata);
  RETURN QUERY SELECT
    (v_result ->> 'allowed')::boolean, (v_result -> 'item' ->> 'entry_id')::uuid, v_result ->> 'reason',
    (v_result ->> 'limit')::numeric, (v_result ->> 'used')::numeric, (v_result ->> 'remaining')::numeric;
END $$;
COMMENT ON FUNCTION fn_assign_item IS
'Assigns a named item; one that the account owns stays as it is. assigned false: reason says why, and nothing was written. Errors as POST /v1/inventory.';
