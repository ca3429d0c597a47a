CREATE OR REPLACE FUNCTION fn_authorize_key_maker(p_credential jsonb, p_namespace_hint text) RETURNS namespaces
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
BEGIN
  IF p_namespace_hint <> v_namespace.namespace_id THEN
    PERFORM fn_fail(401, 'unauthenticated', 'the key or token is not valid');
  END IF;
  RETURN v_namespace;
END $$;
COMMENT ON FUNCTION fn_authorize_key_maker IS
'The namespace of an admin for whom the Worker made a secret that names p_namespace_hint: what it took the namespace to be, from the caller''s key. ME401, ME403.';
