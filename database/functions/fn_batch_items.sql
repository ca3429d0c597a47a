CREATE OR REPLACE FUNCTION fn_batch_items(p_namespace namespaces, p_entries jsonb) RETURNS usage_item[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_entry record;
  v_items usage_item[] := '{}';
  v_item usage_item;
BEGIN
  FOR v_entry IN
    WITH entry AS MATERIALIZED (
      SELECT e.* FROM ROWS FROM (jsonb_to_recordset(p_entries) AS (account_id text, resource text, scope text, quantity numeric, unit text,
        idempotency_key text, occurred_at timestamptz, metadata jsonb)) WITH ORDINALITY e (account, resource, scope, quantity, unit, key, occurred_at, metadata, n)
    ), account AS MATERIALIZED (
      SELECT a.account, fn_account_uuid(p_namespace, a.account) AS account_id FROM (SELECT DISTINCT e.account FROM entry e) a
    ), resource AS MATERIALIZED (
      SELECT DISTINCT ON (r.resource_type_code) r.resource_type_code, r AS type FROM resource_types r
      WHERE r.resource_type_code IN (SELECT e.resource FROM entry e) AND (r.namespace_id = p_namespace.namespace_id OR r.namespace_id IS NULL)
      ORDER BY r.resource_type_code, r.namespace_id NULLS LAST
    )
    SELECT e.*, a.account_id, r.type FROM entry e JOIN account a USING (account) LEFT JOIN resource r ON r.resource_type_code = e.resource
    ORDER BY e.n
  LOOP
    IF v_entry.type IS NULL THEN
      v_item := NULL;
      v_item.error := fn_error(400, 'unknown_resource', format('resource %s is not known', to_json(v_entry.resource)), 'resource');
    ELSE
      v_item := fn_usage_item(p_namespace, v_entry.type, v_entry.account_id, v_entry.scope, v_entry.quantity, v_entry.unit,
        v_entry.key, v_entry.occurred_at, v_entry.metadata, 'meter');
    END IF;
    v_item.n := v_entry.n;
    v_item.status := CASE WHEN v_item.error IS NOT NULL THEN 'invalid' END;
    v_items := v_items || v_item;
  END LOOP;
  RETURN v_items;
END $$;
COMMENT ON FUNCTION fn_batch_items IS 'The entries of a batch as uses, numbered from 1; status invalid with an error for what cannot be one.';
