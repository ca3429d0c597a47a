CREATE OR REPLACE FUNCTION fn_key_json(p_key api_keys) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('key_id', p_key.key_id, 'name', p_key.key_name, 'prefix', p_key.key_prefix, 'scopes', p_key.scopes,
    'expires_at', fn_rfc3339(p_key.expires_at), 'created_at', fn_rfc3339(p_key.created_at),
    'last_used_at', fn_rfc3339(p_key.last_used_at), 'revoked_at', fn_rfc3339(p_key.revoked_at))
$$;
COMMENT ON FUNCTION fn_key_json IS 'A key as answers show it, without its secret, which nobody has.';
