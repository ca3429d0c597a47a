CREATE OR REPLACE FUNCTION fn_subscription_switch(
  p_subscription subscriptions, p_plan plans, p_version int, p_quantity numeric, p_at timestamptz, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_next subscriptions := p_subscription;
  v_replaced entitlements[];
  v_is_pending boolean := p_at > greatest(p_now, p_subscription.start_at);
BEGIN
  -- What was pending is off: what it would have granted never begins, what it would have cut short goes on.
  UPDATE entitlements e SET revoked_at = p_now
  WHERE e.subscription_id = p_subscription.subscription_id AND e.effective_start >= p_subscription.pending_at AND e.revoked_at IS NULL;
  UPDATE entitlements e SET effective_end = (p_subscription.cut_ends ->> e.entitlement_id::text)::timestamptz
  WHERE e.subscription_id = p_subscription.subscription_id AND p_subscription.cut_ends ? e.entitlement_id::text
    AND e.effective_end = coalesce(p_subscription.pending_at, p_subscription.end_at);

  SELECT coalesce(array_agg(e), '{}'), coalesce(jsonb_object_agg(e.entitlement_id, e.effective_end), '{}')
  INTO v_replaced, v_next.cut_ends
  FROM entitlements e
  WHERE e.subscription_id = p_subscription.subscription_id AND e.revoked_at IS NULL AND (e.effective_end IS NULL OR e.effective_end >= p_at);
  UPDATE entitlements e SET
    effective_end = CASE WHEN e.effective_start < p_at THEN p_at ELSE e.effective_end END,
    revoked_at = CASE WHEN e.effective_start < p_at THEN e.revoked_at ELSE p_now END
  WHERE e.entitlement_id IN (SELECT r.entitlement_id FROM unnest(v_replaced) r);

  IF p_plan.plan_id IS NULL THEN
    UPDATE subscriptions s SET
      plan_id = v_next.plan_id, plan_version = v_next.plan_version, quantity = v_next.quantity, plan_start = v_next.plan_start,
      trial_end = v_next.trial_end, end_at = p_at, canceled_at = p_now, cut_ends = v_next.cut_ends,
      pending_at = NULL, pending_plan_id = NULL, pending_plan_version = NULL, pending_quantity = NULL
    WHERE s.subscription_id = p_subscription.subscription_id;
    RETURN;
  END IF;

  IF p_plan.plan_id <> p_subscription.plan_id THEN
    v_next.plan_start := p_at;
    v_next.trial_end := CASE WHEN p_plan.is_trial THEN p_at + make_interval(days => p_plan.trial_days) END;
  END IF;
  v_next.plan_id := p_plan.plan_id;
  v_next.plan_version := p_version;
  v_next.quantity := p_quantity;
  PERFORM fn_plan_grant(v_next, p_at, p_now, v_replaced);
  IF p_at <= p_now THEN
    PERFORM fn_carry_usage(v_next, v_replaced, p_now);
  END IF;
  IF v_is_pending THEN
    UPDATE subscriptions s SET
      plan_id = p_subscription.plan_id, plan_version = p_subscription.plan_version, quantity = p_subscription.quantity,
      plan_start = p_subscription.plan_start, trial_end = p_subscription.trial_end,
      end_at = v_next.trial_end, canceled_at = NULL, cut_ends = v_next.cut_ends,
      pending_at = p_at, pending_plan_id = v_next.plan_id, pending_plan_version = v_next.plan_version, pending_quantity = v_next.quantity
    WHERE s.subscription_id = p_subscription.subscription_id;
  ELSE
    UPDATE subscriptions s SET
      plan_id = v_next.plan_id, plan_version = v_next.plan_version, quantity = v_next.quantity, plan_start = v_next.plan_start,
      trial_end = v_next.trial_end, end_at = v_next.trial_end, canceled_at = NULL, cut_ends = '{}',
      pending_at = NULL, pending_plan_id = NULL, pending_plan_version = NULL, pending_quantity = NULL
    WHERE s.subscription_id = p_subscription.subscription_id;
  END IF;
END $$;
COMMENT ON FUNCTION fn_subscription_switch IS
'Puts a plan version (no plan: nothing, a cancel) in the place of what a subscription grants, from p_at on; what lies ahead is written as dates now, and needs no job. Replaces whatever was pending. p_subscription: as of now (fn_subscription_at), its locks held (fn_subscriptions_lock).';
