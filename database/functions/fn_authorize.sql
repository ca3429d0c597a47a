CREATE OR REPLACE FUNCTION fn_authorize(p_credential jsonb, p_scopes text[], p_account text) RETURNS namespaces
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_found record;
BEGIN
  -- Credentials live in real time, whatever the namespace's clock says.
  IF p_credential ->> 'type' = 'key' THEN
    SELECT n AS namespace, k.key_id, k.scopes && (p_scopes || '{admin}') AS may,
      k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute' AS rested INTO v_found
    FROM api_keys k JOIN namespaces n USING (namespace_id)
    WHERE k.key_hash = decode(p_credential ->> 'hash', 'hex') AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp());
  ELSE
    SELECT n AS namespace, NULL::uuid AS key_id, p_credential -> 'scopes' ?| (p_scopes || '{admin}') AS may, false AS rested INTO v_found
    FROM namespaces n WHERE n.namespace_id = p_credential ->> 'namespace' AND p_credential ->> 'type' = 'jwt';
  END IF;
  -- Nearly always none of it is so, and each expression costs its time: asked all at once, then told apart.
  IF v_found.may IS NOT TRUE OR v_found.rested OR p_scopes = '{admin}' OR p_credential ->> 'account' <> coalesce(p_account, '') THEN
    IF v_found.may IS NULL THEN
      PERFORM fn_fail(401, 'unauthenticated', 'the key or token is not valid');
    ELSIF NOT v_found.may THEN
      PERFORM fn_fail(403, 'missing_scope', format('this needs the scope %s', array_to_string(p_scopes, ' or ')));
    ELSIF p_credential ->> 'account' <> coalesce(p_account, '') THEN
      PERFORM fn_fail(403, 'account_forbidden', 'this token may act on its own account only', 'account_id');
    END IF;
    IF v_found.rested THEN
      -- Never waited for: whoever is first this minute writes it.
      UPDATE api_keys k SET last_used_at = clock_timestamp()
      WHERE k.key_id = (SELECT l.key_id FROM api_keys l WHERE l.key_id = v_found.key_id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
    IF p_scopes = '{admin}' THEN
      PERFORM fn_act_as(CASE WHEN v_found.key_id IS NULL THEN concat_ws(':', 'token', fn_account_uuid(v_found.namespace, p_credential ->> 'subject'))
                             ELSE 'key:' || v_found.key_id END, p_credential ->> 'request_id');
    END IF;
  END IF;
  RETURN v_found.namespace;
END $$;
COMMENT ON FUNCTION fn_authorize IS
'The namespace that a credential acts in, once it holds one of the scopes (admin implies all) and may act on p_account (as the caller writes it; null = on no single account). What needs the scope admin changes what is audited: the trail learns who it is. ME401 unauthenticated, ME403 missing_scope, account_forbidden.';
