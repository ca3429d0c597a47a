CREATE OR REPLACE FUNCTION fn_job_reached(p_job text, p_namespace_id text, p_next resource_state, p_seq bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE maintenance_cursors c
  SET from_account_id = p_next.account_id, from_resource_type_code = p_next.resource_type_code, from_seq = p_seq
  WHERE c.job = p_job AND c.namespace_id = coalesce(p_namespace_id, '');
END $$;
COMMENT ON FUNCTION fn_job_reached IS
'Where a job of fn_next_keys goes on: at p_next, after its entry p_seq if one is given, or (null) at the first again.';
