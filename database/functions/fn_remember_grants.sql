CREATE OR REPLACE FUNCTION fn_remember_grants(
  p_account_id uuid, p_key text, p_operation text, p_hash bytea, p_answer jsonb, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_kept jsonb := p_answer #- '{subscription,account_id}' || jsonb_build_object('entitlements', (
    SELECT coalesce(jsonb_agg(e.value - '{account_id,metadata}'::text[] ORDER BY e.ordinality), '[]')
    FROM jsonb_array_elements(p_answer -> 'entitlements') WITH ORDINALITY e));
BEGIN
  IF p_key IS NOT NULL THEN
    PERFORM fn_remember(p_account_id, p_key, p_operation, p_hash, v_kept, p_now);
  END IF;
  RETURN p_answer || '{"duplicate":false}';
END $$;
COMMENT ON FUNCTION fn_remember_grants IS
'Keeps the answer of a command that grants, {entitlements} with or without subscription, under its key, if it has one, but for the personal strings in it; gives the answer. Last of all, when the answer is known: if another command took the key meanwhile, ME409 idempotency_conflict undoes the whole statement.';
