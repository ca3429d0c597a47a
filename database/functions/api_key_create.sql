CREATE OR REPLACE FUNCTION api_key_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', NULL);
BEGIN
  IF p_request ->> 'namespace' IS DISTINCT FROM v_namespace.namespace_id AND p_request ->> 'namespace' IS NOT NULL THEN
    PERFORM fn_fail(401, 'unauthenticated', 'the key or token is not valid');
  END IF;
  RETURN fn_key_json(fn_key_create(v_namespace.namespace_id, p_request ->> 'name',
    ARRAY(SELECT DISTINCT jsonb_array_elements_text(p_request -> 'scopes') ORDER BY 1),
    p_request ->> 'hash', p_request ->> 'prefix', (p_request ->> 'expires_at')::timestamptz));
END $$;
COMMENT ON FUNCTION api_key_create IS 'POST /v1/keys: the Worker made the secret, adds it to this answer and forgets it.';
