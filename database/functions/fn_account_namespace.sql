CREATE OR REPLACE FUNCTION fn_account_namespace(p_account_id uuid) RETURNS namespaces
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_namespace namespaces;
BEGIN
  IF p_account_id IS NULL THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'account_id must be given', 'account_id');
  END IF;
  SELECT n.* INTO v_namespace FROM namespaces n
  WHERE n.namespace_id = coalesce((SELECT a.namespace_id FROM accounts a WHERE a.account_id = p_account_id), 'default');
  RETURN v_namespace;
END $$;
COMMENT ON FUNCTION fn_account_namespace IS 'The namespace an account belongs to; default for one that was never seen. ME400 invalid_parameter (account_id) for null.';
