CREATE OR REPLACE FUNCTION fn_subscription_moment(p_subscription subscriptions, p_when text, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_from timestamptz := greatest(p_now, p_subscription.start_at);
BEGIN
  RETURN CASE WHEN p_when = 'period_end' THEN least(p_subscription.trial_end, (
    SELECT b.window_end FROM fn_window_bounds('anchored', interval '1 month', p_subscription.billing_anchor, 'UTC', v_from) b
  )) ELSE v_from END;
END $$;
COMMENT ON FUNCTION fn_subscription_moment IS
'The instant that "now" or "period_end" means for a subscription: the end of its billing period (month by month from the anchor), or of its trial if that comes first. Before its start, now is its start.';
