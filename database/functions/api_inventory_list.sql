CREATE OR REPLACE FUNCTION api_inventory_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
  v_account_id uuid;
  v_cursor text[] := fn_cursor(p_request, '{uuid}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  -- A token of one account lists that account.
  p_request := jsonb_build_object('account_id', p_credential -> 'account') || jsonb_strip_nulls(p_request);
  v_namespace := fn_authorize(p_credential, '{read,meter}', p_request ->> 'account_id');
  IF p_request ->> 'account_id' IS NOT NULL THEN
    v_account_id := fn_account_uuid(v_namespace, p_request ->> 'account_id');
  END IF;
  IF p_request ->> 'resource' IS NOT NULL THEN
    PERFORM fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  END IF;
  SELECT array_agg(fn_item_json(i, coalesce(p_request ->> 'account_id', fn_account_label(i.account_id))) ORDER BY i.entry_id DESC),
         array_agg(jsonb_build_array(i.entry_id) ORDER BY i.entry_id DESC)
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM inventory_items i
    WHERE i.namespace_id = v_namespace.namespace_id AND (v_account_id IS NULL OR i.account_id = v_account_id)
      AND (p_request ->> 'resource' IS NULL OR i.resource_type_code = p_request ->> 'resource')
      AND i.entry_id < coalesce(v_cursor[1]::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    ORDER BY i.entry_id DESC LIMIT fn_page_limit(p_request) + 1
  ) i;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_inventory_list IS 'GET /v1/inventory: who holds what, newest first.';
