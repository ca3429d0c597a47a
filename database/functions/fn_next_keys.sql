CREATE OR REPLACE FUNCTION fn_next_keys(p_job text, p_namespace_id text, p_most int) RETURNS resource_state[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_cursor maintenance_cursors;
BEGIN
  INSERT INTO maintenance_cursors (job, namespace_id) VALUES (p_job, coalesce(p_namespace_id, '')) ON CONFLICT DO NOTHING;
  SELECT c.* INTO v_cursor
  FROM maintenance_cursors c WHERE c.job = p_job AND c.namespace_id = coalesce(p_namespace_id, '') FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  RETURN fn_keys_from(p_namespace_id, v_cursor.from_account_id, v_cursor.from_resource_type_code, p_most);
END $$;
COMMENT ON FUNCTION fn_next_keys IS
'The next p_most (account, resource) that a job has to go through, of one namespace or (null) of all, by account_id and resource. The job is the caller''s until the end of the transaction; null: somebody else''s at the moment. fn_job_reached says how far the caller came.';
