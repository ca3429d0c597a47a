CREATE OR REPLACE FUNCTION fn_plan_migrate(p_plan plans, p_subscription_ids uuid[], p_when text, p_now timestamptz, p_dry_run boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_subscription subscriptions;
  v_at timestamptz;
  v_reason text;
  v_results jsonb := '[]';
BEGIN
  FOR v_subscription IN
    SELECT (fn_subscription_at(s, p_now)).* FROM subscriptions s WHERE s.subscription_id = ANY (p_subscription_ids) ORDER BY s.subscription_id
  LOOP
    -- It may have changed or ended while its lock was waited for.
    CONTINUE WHEN v_subscription.plan_id <> p_plan.plan_id OR v_subscription.plan_version >= p_plan.current_version OR v_subscription.end_at <= p_now;
    v_at := fn_subscription_moment(v_subscription, p_when, p_now);
    v_reason := CASE WHEN v_subscription.canceled_at IS NOT NULL THEN 'cancel_pending'
                     WHEN v_subscription.pending_at IS NOT NULL THEN 'change_pending'
                     WHEN fn_plan_too_large(p_plan.namespace_id, p_plan.plan_id, p_plan.current_version, v_subscription.quantity)
                     THEN 'quantity_too_large' END;
    v_results := v_results || jsonb_build_object(
      'subscription_id', v_subscription.subscription_id, 'account_id', fn_account_label(v_subscription.account_id),
      'from_version', v_subscription.plan_version, 'to_version', p_plan.current_version,
      'result', CASE WHEN v_reason IS NULL THEN 'migrated' ELSE 'skipped' END, 'reason', v_reason,
      'effective_at', CASE WHEN v_reason IS NULL THEN fn_rfc3339(v_at) END);
    IF v_reason IS NULL AND NOT p_dry_run THEN
      PERFORM fn_subscription_switch(v_subscription, p_plan, p_plan.current_version, v_subscription.quantity, v_at, p_now);
    END IF;
  END LOOP;
  RETURN v_results;
END $$;
COMMENT ON FUNCTION fn_plan_migrate IS
'Moves subscriptions of a plan to its current version, and says of each what was done; of a dry run, what would be. What is about to change or to end, or is of too large a quantity (fn_plan_too_large), is skipped. The caller holds their locks (fn_subscriptions_lock), unless it is a dry run.';
