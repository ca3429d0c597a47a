CREATE OR REPLACE FUNCTION fn_key_record(p_credential jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_credential ->> 'type' = 'key' THEN
    RETURN (SELECT jsonb_build_object('scopes', k.scopes, 'expires_at', fn_rfc3339(k.expires_at))
      FROM api_keys k WHERE k.key_hash = decode(p_credential ->> 'hash', 'hex') AND k.revoked_at IS NULL);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_key_record IS
'What the edge keeps of an API key: {scopes, expires_at}. Null for one that is revoked, and for a token, which says it itself.';
