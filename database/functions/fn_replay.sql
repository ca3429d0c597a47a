CREATE OR REPLACE FUNCTION fn_replay(p_account_id uuid, p_key text, p_operation text, p_hash bytea) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_known idempotency_keys;
BEGIN
  SELECT k.* INTO v_known FROM idempotency_keys k WHERE k.account_id = p_account_id AND k.idempotency_key = p_key;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF v_known.operation <> p_operation OR v_known.request_hash <> p_hash THEN
    PERFORM fn_fail(409, 'idempotency_conflict',
      'this idempotency_key was used for a different request: a new request needs a new key', 'idempotency_key');
  END IF;
  RETURN v_known.result;
END $$;
COMMENT ON FUNCTION fn_replay IS
'The result kept under an idempotency key, null if the key is new. Before any rule. ME409 idempotency_conflict: it was used for another operation or request.';
