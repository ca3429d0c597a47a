CREATE OR REPLACE FUNCTION fn_release_item(p_account_id uuid, p_resource_type_code text, p_item text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_account_namespace(p_account_id);
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_resource_type_code);
BEGIN
  PERFORM fn_item_release(v_namespace, p_account_id, p_account_id::text, v_type, p_item);
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_release_item IS 'Gives a named item back. Errors as DELETE /v1/inventory/{resource}/{item}.';
