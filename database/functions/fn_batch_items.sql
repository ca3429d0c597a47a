CREATE OR REPLACE FUNCTION fn_batch_items(p_namespace namespaces, p_entries jsonb) RETURNS usage_item[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_entry jsonb;
  v_n int := 0;
  v_items usage_item[] := '{}';
  v_item usage_item;
  v_type resource_types;
  v_resource text;
  v_account text;
  v_account_id uuid;
BEGIN
  FOR v_entry IN SELECT e FROM jsonb_array_elements(p_entries) e LOOP
    v_n := v_n + 1;
    IF v_resource IS DISTINCT FROM v_entry ->> 'resource' THEN
      v_resource := v_entry ->> 'resource';
      SELECT r.* INTO v_type FROM resource_types r
      WHERE r.resource_type_code = v_resource AND (r.namespace_id = p_namespace.namespace_id OR r.namespace_id IS NULL)
      ORDER BY r.namespace_id NULLS LAST LIMIT 1;
    END IF;
    IF v_account IS DISTINCT FROM v_entry ->> 'account_id' THEN
      v_account := v_entry ->> 'account_id';
      v_account_id := fn_account_uuid(p_namespace, v_account);
    END IF;
    IF v_type.resource_type_code IS NULL THEN
      v_item := NULL;
      v_item.error := fn_error(400, 'unknown_resource', format('resource %s is not known', to_json(v_resource)), 'resource');
    ELSE
      v_item := fn_usage_item(p_namespace, v_type, v_account_id, v_entry ->> 'scope', (v_entry ->> 'quantity')::numeric, v_entry ->> 'unit',
        v_entry ->> 'idempotency_key', (v_entry ->> 'occurred_at')::timestamptz, v_entry -> 'metadata', 'meter');
    END IF;
    v_item.n := v_n;
    v_item.status := CASE WHEN v_item.error IS NOT NULL THEN 'invalid' END;
    v_items := v_items || v_item;
  END LOOP;
  RETURN v_items;
END $$;
COMMENT ON FUNCTION fn_batch_items IS 'The entries of a batch as uses, numbered from 1; status invalid with an error for what cannot be one.';
