CREATE OR REPLACE FUNCTION fn_remember(p_account_id uuid, p_key text, p_operation text, p_hash bytea, p_result jsonb, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO idempotency_keys (account_id, idempotency_key, operation, request_hash, result, created_at)
  VALUES (p_account_id, p_key, p_operation, p_hash, p_result, p_now) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    -- A command on another resource took the key while this one decided.
    PERFORM fn_fail(409, 'idempotency_conflict',
      'this idempotency_key was used for a different request: a new request needs a new key', 'idempotency_key');
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_remember IS
'Keeps a result under its idempotency key, before anything else is written, or, where only then it is known, last of all; true. ME409 idempotency_conflict. (This and the other writers of a use give a value to be assigned: PERFORM would run a query around each call.)';
