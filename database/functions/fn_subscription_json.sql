CREATE OR REPLACE FUNCTION fn_subscription_json(p_subscription subscriptions, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'subscription_id', s.subscription_id, 'account_id', p_account, 'plan_id', s.plan_id,
    'plan_version', s.plan_version, 'quantity', fn_number(s.quantity),
    'status', CASE WHEN s.end_at <= p_now THEN CASE WHEN s.canceled_at IS NULL THEN 'expired' ELSE 'canceled' END
                   WHEN s.start_at > p_now THEN 'scheduled' ELSE 'active' END,
    'start_at', fn_rfc3339(s.start_at), 'end_at', fn_rfc3339(s.end_at), 'canceled_at', fn_rfc3339(s.canceled_at),
    'pending_change', CASE WHEN s.pending_at IS NOT NULL THEN jsonb_build_object(
      'plan_id', s.pending_plan_id, 'plan_version', s.pending_plan_version, 'quantity', fn_number(s.pending_quantity),
      'at', fn_rfc3339(s.pending_at)) END,
    'billing_anchor', fn_rfc3339(s.billing_anchor), 'created_at', fn_rfc3339(s.created_at))
  FROM fn_subscription_at(p_subscription, p_now) s
$$;
COMMENT ON FUNCTION fn_subscription_json IS 'A subscription as answers show it.';
