CREATE OR REPLACE FUNCTION fn_confine(p_credential jsonb, p_namespace namespaces, p_account_id uuid) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_credential ->> 'account' IS NOT NULL AND fn_account_uuid(p_namespace, p_credential ->> 'account') IS DISTINCT FROM p_account_id THEN
    PERFORM fn_fail(403, 'account_forbidden', 'this token may act on its own account only');
  END IF;
END $$;
COMMENT ON FUNCTION fn_confine IS
'For what is named by its id: a token of one account reaches nothing of another, nor of the whole namespace (null). ME403 account_forbidden.';
