CREATE OR REPLACE FUNCTION api_key_rotate(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize_key_maker(p_credential, p_request ->> 'namespace');
  v_ends_at timestamptz;
  v_old api_keys;
  v_new api_keys;
BEGIN
  SELECT k.* INTO v_old FROM api_keys k
  WHERE k.key_id = (p_request ->> 'key_id')::uuid AND k.namespace_id = v_namespace.namespace_id FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such key', 'key_id');
  ELSIF v_old.revoked_at IS NOT NULL THEN
    PERFORM fn_fail(410, 'key_revoked', 'the key is revoked');
  ELSIF v_old.expires_at <= clock_timestamp() THEN
    PERFORM fn_fail(410, 'key_expired', 'the key is expired');
  ELSIF v_old.rotated_to IS NOT NULL THEN
    PERFORM fn_fail(409, 'key_rotated', 'the key was rotated before: rotate the one that took its place');
  END IF;
  v_ends_at := date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => coalesce((p_request ->> 'overlap_seconds')::int, 86400));
  v_new := fn_key_create(v_namespace.namespace_id, v_old.key_name, v_old.scopes, p_request ->> 'hash', p_request ->> 'prefix', v_old.expires_at);
  UPDATE api_keys k SET rotated_to = v_new.key_id, expires_at = least(k.expires_at, v_ends_at) WHERE k.key_id = v_old.key_id;
  RETURN fn_key_json(v_new);
END $$;
COMMENT ON FUNCTION api_key_rotate IS
'POST /v1/keys/{id}/rotate: a new key of the same name, scopes and end; the old one works for overlap_seconds more (a day unless told otherwise), never beyond its end. The Worker made the secret. ME404 not_found, ME409 key_rotated, ME410 key_revoked, key_expired.';
