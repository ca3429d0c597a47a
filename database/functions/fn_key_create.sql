CREATE OR REPLACE FUNCTION fn_key_create(
  p_namespace_id text, p_name text, p_scopes text[], p_hash text, p_prefix text, p_expires_at timestamptz DEFAULT NULL
) RETURNS api_keys
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_key api_keys;
BEGIN
  IF p_expires_at <= clock_timestamp() THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'expires_at must be in the future', 'expires_at');
  END IF;
  INSERT INTO api_keys (namespace_id, key_name, key_hash, key_prefix, scopes, expires_at, created_at)
  VALUES (p_namespace_id, p_name, decode(p_hash, 'hex'), p_prefix, p_scopes, p_expires_at, date_trunc('milliseconds', clock_timestamp()))
  RETURNING * INTO v_key;
  RETURN v_key;
END $$;
COMMENT ON FUNCTION fn_key_create IS
'Stores a key by the hex SHA-256 of its secret. Keys live in real time, whatever the namespace''s clock says. ME400 invalid_parameter (expires_at).';
