CREATE OR REPLACE FUNCTION fn_next_keys(p_job text, p_namespace_id text, p_most int) RETURNS resource_state[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_from_account_id uuid;
  v_from_resource text;
BEGIN
  INSERT INTO maintenance_cursors (job, namespace_id) VALUES (p_job, coalesce(p_namespace_id, '')) ON CONFLICT DO NOTHING;
  SELECT coalesce(c.from_account_id, '00000000-0000-0000-0000-000000000000'), coalesce(c.from_resource_type_code, '')
  INTO v_from_account_id, v_from_resource
  FROM maintenance_cursors c WHERE c.job = p_job AND c.namespace_id = coalesce(p_namespace_id, '') FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN NULL;
  ELSIF p_namespace_id IS NULL THEN
    RETURN ARRAY(
      SELECT s FROM resource_state s
      WHERE (s.account_id, s.resource_type_code) >= (v_from_account_id, v_from_resource COLLATE "C")
      ORDER BY s.account_id, s.resource_type_code LIMIT p_most);
  END IF;
  RETURN ARRAY(
    SELECT s FROM accounts a JOIN resource_state s USING (account_id)
    WHERE a.namespace_id = p_namespace_id AND a.account_id >= v_from_account_id
      AND (s.account_id, s.resource_type_code) >= (v_from_account_id, v_from_resource COLLATE "C")
    ORDER BY a.account_id, s.resource_type_code LIMIT p_most);
END $$;
COMMENT ON FUNCTION fn_next_keys IS
'The next p_most (account, resource) that a job has to go through, of one namespace or (null) of all, by account_id and resource. The job is the caller''s until the end of the transaction; null: somebody else''s at the moment. fn_job_reached says how far the caller came.';
