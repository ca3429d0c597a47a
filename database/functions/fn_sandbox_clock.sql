CREATE OR REPLACE FUNCTION fn_sandbox_clock(p_credential jsonb) RETURNS namespaces
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
BEGIN
  IF NOT v_namespace.is_sandbox THEN
    PERFORM fn_fail(403, 'not_sandbox', 'only a sandbox namespace has a test clock');
  END IF;
  SELECT n.* INTO v_namespace FROM namespaces n WHERE n.namespace_id = v_namespace.namespace_id FOR UPDATE;
  RETURN v_namespace;
END $$;
COMMENT ON FUNCTION fn_sandbox_clock IS 'The caller''s namespace, locked, if its clock may be moved. ME403 not_sandbox.';
