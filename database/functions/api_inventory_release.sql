CREATE OR REPLACE FUNCTION api_inventory_release(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{meter}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
BEGIN
  RETURN fn_item_release(v_namespace, fn_account_uuid(v_namespace, p_request ->> 'account_id'), p_request ->> 'account_id', v_type,
    p_request ->> 'item');
END $$;
COMMENT ON FUNCTION api_inventory_release IS 'DELETE /v1/inventory/{resource}/{item}: item, entry, state.';
