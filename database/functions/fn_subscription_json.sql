CREATE OR REPLACE FUNCTION fn_subscription_json(p_subscription subscriptions, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'subscription_id', p_subscription.subscription_id, 'account_id', p_account, 'plan_id', p_subscription.plan_id,
    'plan_version', p_subscription.plan_version, 'quantity', fn_number(p_subscription.quantity),
    'status', CASE WHEN p_subscription.end_at <= p_now THEN CASE WHEN p_subscription.canceled_at IS NULL THEN 'expired' ELSE 'canceled' END
                   WHEN p_subscription.start_at > p_now THEN 'scheduled' ELSE 'active' END,
    'start_at', fn_rfc3339(p_subscription.start_at), 'end_at', fn_rfc3339(p_subscription.end_at),
    'billing_anchor', fn_rfc3339(p_subscription.billing_anchor), 'created_at', fn_rfc3339(p_subscription.created_at))
$$;
COMMENT ON FUNCTION fn_subscription_json IS 'A subscription as answers show it.';
