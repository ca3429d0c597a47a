CREATE OR REPLACE FUNCTION fn_subscription_command(p_credential jsonb, p_request jsonb, p_command text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
  v_result jsonb;
BEGIN
  v_result := fn_subscription_change(v_namespace, fn_account_uuid(v_namespace, p_request ->> 'account_id'),
    (p_request ->> 'subscription_id')::uuid, p_command, p_request ->> 'plan_id', (p_request ->> 'quantity')::numeric,
    coalesce(p_request ->> 'when', 'now'), p_request ->> 'idempotency_key');
  RETURN fn_subscription_answer((v_result ->> 'subscription_id')::uuid, p_request ->> 'account_id', fn_now(v_namespace.namespace_id))
    || jsonb_build_object('duplicate', v_result -> 'duplicate');
END $$;
COMMENT ON FUNCTION fn_subscription_command IS
'What change, cancel and migrate of a subscription have in common as requests: {subscription, entitlements, duplicate}. p_command: as fn_subscription_change has it (p_operation); plan_id and quantity are a change''s.';
