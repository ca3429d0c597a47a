CREATE OR REPLACE FUNCTION fn_authorize_operator(p_credential jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
BEGIN
  IF v_namespace.namespace_id <> 'default' THEN
    PERFORM fn_fail(403, 'operator_only', 'only the admins of the namespace default manage namespaces');
  END IF;
END $$;
COMMENT ON FUNCTION fn_authorize_operator IS 'Whoever manages namespaces: the admins of default. ME401, ME403 missing_scope, operator_only.';
