CREATE OR REPLACE FUNCTION api_key_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize_key_maker(p_credential, p_request ->> 'namespace');
BEGIN
  RETURN fn_key_json(fn_key_create(v_namespace.namespace_id, p_request ->> 'name',
    ARRAY(SELECT DISTINCT jsonb_array_elements_text(p_request -> 'scopes') ORDER BY 1),
    p_request ->> 'hash', p_request ->> 'prefix', (p_request ->> 'expires_at')::timestamptz));
END $$;
COMMENT ON FUNCTION api_key_create IS 'POST /v1/keys: the Worker made the secret, adds it to this answer and forgets it.';
