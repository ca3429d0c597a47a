CREATE OR REPLACE FUNCTION fn_item_json(p_item inventory_items, p_account text) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'item', p_item.item, 'account_id', p_account, 'resource', p_item.resource_type_code, 'scope', p_item.resource_scope,
    'assigned_at', fn_rfc3339(p_item.assigned_at), 'entry_id', p_item.entry_id, 'metadata', p_item.metadata)
$$;
COMMENT ON FUNCTION fn_item_json IS 'A named item as answers show it. p_account: the account as the caller writes it.';
