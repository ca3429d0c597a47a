CREATE OR REPLACE FUNCTION fn_subscription_at(p_subscription subscriptions, p_at timestamptz) RETURNS subscriptions
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF p_subscription.pending_at <= p_at THEN
    IF p_subscription.pending_plan_id <> p_subscription.plan_id THEN
      p_subscription.plan_start := p_subscription.pending_at;
    END IF;
    p_subscription.plan_id := p_subscription.pending_plan_id;
    p_subscription.plan_version := p_subscription.pending_plan_version;
    p_subscription.quantity := p_subscription.pending_quantity;
    p_subscription.trial_end := p_subscription.end_at;
    p_subscription.pending_at := NULL;
    p_subscription.pending_plan_id := NULL;
    p_subscription.pending_plan_version := NULL;
    p_subscription.pending_quantity := NULL;
    p_subscription.cut_ends := '{}';
  END IF;
  RETURN p_subscription;
END $$;
COMMENT ON FUNCTION fn_subscription_at IS 'A subscription as it stands at an instant: a pending change counts from its time on, whether or not anything has run.';
