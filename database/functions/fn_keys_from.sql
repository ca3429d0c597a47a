CREATE OR REPLACE FUNCTION fn_keys_from(p_namespace_id text, p_account_id uuid, p_resource text, p_most int) RETURNS resource_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_account_id uuid := coalesce(p_account_id, '00000000-0000-0000-0000-000000000000');
  v_resource text := coalesce(p_resource, '');
BEGIN
  IF p_namespace_id IS NULL THEN
    RETURN ARRAY(
      SELECT s FROM resource_state s
      WHERE (s.account_id, s.resource_type_code) >= (v_account_id, v_resource COLLATE "C")
      ORDER BY s.account_id, s.resource_type_code LIMIT p_most);
  END IF;
  RETURN ARRAY(
    SELECT s FROM accounts a JOIN resource_state s USING (account_id)
    WHERE a.namespace_id = p_namespace_id AND a.account_id >= v_account_id
      AND (s.account_id, s.resource_type_code) >= (v_account_id, v_resource COLLATE "C")
    ORDER BY a.account_id, s.resource_type_code LIMIT p_most);
END $$;
COMMENT ON FUNCTION fn_keys_from IS
'Up to p_most (account, resource) of one namespace or (null) of all, by account_id and resource, from this one on (null: the first).';
