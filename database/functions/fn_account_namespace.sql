CREATE OR REPLACE FUNCTION fn_account_namespace(p_account_id uuid) RETURNS namespaces
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_namespace namespaces;
BEGIN
  SELECT n.* INTO v_namespace FROM namespaces n
  WHERE n.namespace_id = coalesce((SELECT a.namespace_id FROM accounts a WHERE a.account_id = p_account_id), 'default');
  RETURN v_namespace;
END $$;
COMMENT ON FUNCTION fn_account_namespace IS 'The namespace an account belongs to; default for one that was never seen.';
