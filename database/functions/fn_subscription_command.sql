CREATE OR REPLACE FUNCTION fn_subscription_command(p_credential jsonb, p_request jsonb, p_command text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
  v_account_id uuid := fn_account_uuid(v_namespace, p_request ->> 'account_id');
  v_subscription_id uuid := p_request ->> 'subscription_id';
  v_quantity numeric := p_request ->> 'quantity';
  v_when text := coalesce(p_request ->> 'when', 'now');
  v_key text := p_request ->> 'idempotency_key';
  v_hash bytea := fn_request_hash(v_subscription_id::text, p_request ->> 'plan_id', trim_scale(v_quantity)::text, v_when);
  v_now timestamptz;
  v_answer jsonb;
BEGIN
  IF NOT EXISTS (
    SELECT FROM subscriptions s
    WHERE s.subscription_id = v_subscription_id AND s.account_id = v_account_id AND s.namespace_id = v_namespace.namespace_id
  ) THEN
    PERFORM fn_fail(404, 'not_found', 'the account has no such subscription', 'subscription_id');
  END IF;
  PERFORM fn_subscriptions_lock(ARRAY[v_subscription_id], p_request ->> 'plan_id');
  v_now := fn_now(v_namespace.namespace_id);
  v_answer := fn_replay_grants(v_account_id, p_request ->> 'account_id', v_key, p_command, v_hash, v_now);
  IF v_answer IS NOT NULL THEN
    RETURN v_answer;
  END IF;
  PERFORM fn_subscription_change(v_namespace, v_subscription_id, p_command, p_request ->> 'plan_id', v_quantity, v_when, v_now);
  v_answer := fn_subscription_answer(v_subscription_id, p_request ->> 'account_id', v_now);
  RETURN fn_remember_grants(v_account_id, v_key, p_command, v_hash, v_answer, v_now);
END $$;
COMMENT ON FUNCTION fn_subscription_command IS
'What change, cancel and migrate of a subscription have in common as requests: {subscription, entitlements, duplicate}. p_command: as fn_subscription_change has it (p_operation); plan_id and quantity are a change''s. Locks the subscription, then its resources. ME404 not_found, ME409 idempotency_conflict.';
