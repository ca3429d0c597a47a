CREATE OR REPLACE FUNCTION fn_authorize(p_credential jsonb, p_scopes text[], p_account text) RETURNS namespaces
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_found record;
  v_namespace namespaces;
  v_scopes text[];
  v_key_id uuid;
BEGIN
  -- Credentials live in real time, whatever the namespace's clock says.
  IF p_credential ->> 'type' = 'key' THEN
    SELECT n AS namespace, k.scopes, k.key_id, k.last_used_at INTO v_found
    FROM api_keys k JOIN namespaces n USING (namespace_id)
    WHERE k.key_hash = decode(p_credential ->> 'hash', 'hex') AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp());
    v_namespace := v_found.namespace;
    v_scopes := v_found.scopes;
    v_key_id := v_found.key_id;
    IF v_key_id IS NOT NULL AND (v_found.last_used_at IS NULL OR v_found.last_used_at < clock_timestamp() - interval '1 minute') THEN
      -- Never waited for: whoever is first this minute writes it.
      UPDATE api_keys k SET last_used_at = clock_timestamp()
      WHERE k.key_id = (SELECT l.key_id FROM api_keys l WHERE l.key_id = v_key_id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
  ELSIF p_credential ->> 'type' = 'jwt' THEN
    SELECT n.* INTO v_namespace FROM namespaces n WHERE n.namespace_id = p_credential ->> 'namespace';
    v_scopes := ARRAY(SELECT jsonb_array_elements_text(p_credential -> 'scopes'));
  END IF;
  IF v_namespace.namespace_id IS NULL THEN
    PERFORM fn_fail(401, 'unauthenticated', 'the key or token is not valid');
  END IF;
  IF NOT v_scopes && (p_scopes || '{admin}') THEN
    PERFORM fn_fail(403, 'missing_scope', format('this needs the scope %s', array_to_string(p_scopes, ' or ')));
  END IF;
  IF p_credential ->> 'account' IS DISTINCT FROM p_account AND p_credential ->> 'account' IS NOT NULL THEN
    PERFORM fn_fail(403, 'account_forbidden', 'this token may act on its own account only', 'account_id');
  END IF;
  IF p_scopes = '{admin}' THEN
    PERFORM fn_act_as(CASE WHEN v_key_id IS NULL THEN concat_ws(':', 'token', fn_account_uuid(v_namespace, p_credential ->> 'subject'))
                           ELSE 'key:' || v_key_id END, p_credential ->> 'request_id');
  END IF;
  RETURN v_namespace;
END $$;
COMMENT ON FUNCTION fn_authorize IS
'The namespace that a credential acts in, once it holds one of the scopes (admin implies all) and may act on p_account (as the caller writes it; null = on no single account). What needs the scope admin changes what is audited: the trail learns who it is. ME401 unauthenticated, ME403 missing_scope, account_forbidden.';
