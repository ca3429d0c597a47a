CREATE OR REPLACE FUNCTION fn_authorize_batch(p_credential jsonb, p_scopes text[], p_elements jsonb) RETURNS namespaces
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_account text;
BEGIN
  -- Somebody else's account, if there is one among them.
  SELECT e ->> 'account_id' INTO v_account FROM jsonb_array_elements(p_elements) e
  WHERE e ->> 'account_id' IS DISTINCT FROM p_credential ->> 'account' LIMIT 1;
  RETURN fn_authorize(p_credential, p_scopes, CASE WHEN FOUND THEN v_account ELSE p_credential ->> 'account' END);
END $$;
COMMENT ON FUNCTION fn_authorize_batch IS
'fn_authorize for a batch: a token of one account acts on that account only, in every element.';
