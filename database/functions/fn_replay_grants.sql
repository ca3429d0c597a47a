CREATE OR REPLACE FUNCTION fn_replay_grants(
  p_account_id uuid, p_account text, p_key text, p_operation text, p_hash bytea, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_answer jsonb := fn_replay(p_account_id, p_key, p_operation, p_hash);
  v_account jsonb := jsonb_build_object('account_id', p_account);
BEGIN
  IF v_answer IS NULL THEN
    RETURN NULL;
  END IF;
  -- Earlier versions kept an id only: it stands for what is there now.
  IF NOT v_answer ? 'entitlements' THEN
    v_answer := coalesce(fn_subscription_answer((v_answer ->> 'subscription_id')::uuid, p_account, p_now), (
      SELECT jsonb_build_object('entitlements', jsonb_build_array(fn_entitlement_json(e, p_account, p_now)))
      FROM entitlements e WHERE e.entitlement_id = (v_answer ->> 'entitlement_id')::uuid));
  END IF;
  IF v_answer ? 'subscription' THEN
    v_answer := jsonb_set(v_answer, '{subscription}', (v_answer -> 'subscription') || v_account);
  END IF;
  RETURN v_answer || jsonb_build_object('duplicate', true, 'entitlements', (
    SELECT coalesce(jsonb_agg(k.value || v_account || jsonb_build_object('metadata', coalesce(e.metadata, '{}')) ORDER BY k.ordinality), '[]')
    FROM jsonb_array_elements(v_answer -> 'entitlements') WITH ORDINALITY k
    LEFT JOIN entitlements e ON e.entitlement_id = (k.value ->> 'entitlement_id')::uuid));
END $$;
COMMENT ON FUNCTION fn_replay_grants IS
'The answer that fn_remember_grants kept, null without a key or with a new one; personal strings as they are now: p_account, the account as the caller writes it, and the metadata of the entitlements. ME409 idempotency_conflict.';
