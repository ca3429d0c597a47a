CREATE OR REPLACE FUNCTION api_key_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', NULL);
  v_key api_keys;
BEGIN
  SELECT k.* INTO v_key FROM api_keys k
  WHERE k.key_id = (p_request ->> 'key_id')::uuid AND k.namespace_id = v_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such key', 'key_id');
  END IF;
  RETURN fn_key_json(v_key);
END $$;
COMMENT ON FUNCTION api_key_get IS 'GET /v1/keys/{id}.';
