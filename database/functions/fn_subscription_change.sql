CREATE OR REPLACE FUNCTION fn_subscription_change(
  p_namespace namespaces, p_subscription_id uuid, p_operation text, p_plan_id text, p_quantity numeric, p_when text, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_subscription subscriptions;
  v_plan plans;
  v_at timestamptz;
  v_version int;
BEGIN
  SELECT (fn_subscription_at(s, p_now)).* INTO v_subscription FROM subscriptions s WHERE s.subscription_id = p_subscription_id;
  v_at := fn_subscription_moment(v_subscription, p_when, p_now);
  IF p_operation = 'cancel' THEN
    IF p_when = 'now' THEN
      v_at := p_now;
    END IF;
    IF v_subscription.end_at <= p_now OR (v_subscription.canceled_at IS NOT NULL AND v_subscription.end_at <= v_at) THEN
      RETURN;
    END IF;
    PERFORM fn_subscription_switch(v_subscription, NULL, NULL, NULL, v_at, p_now);
    RETURN;
  END IF;

  IF v_subscription.end_at <= p_now THEN
    PERFORM fn_fail(409, 'subscription_ended', 'the subscription has ended: what follows is a new one', 'subscription_id');
  END IF;
  SELECT p.* INTO v_plan FROM plans p
  WHERE p.namespace_id = p_namespace.namespace_id AND p.plan_id = coalesce(p_plan_id, v_subscription.plan_id);
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', format('there is no plan %s', to_json(p_plan_id)), 'plan_id');
  END IF;
  IF p_operation = 'migrate' THEN
    IF v_plan.status = 'draft' THEN
      PERFORM fn_fail(409, 'plan_not_active', format('plan %s is draft: nobody is moved to its newest version yet', to_json(v_plan.plan_id)), 'subscription_id');
    END IF;
    IF v_subscription.pending_at IS NOT NULL OR v_subscription.canceled_at IS NOT NULL THEN
      PERFORM fn_fail(409, 'change_pending', 'the subscription is about to change or to end: change or cancel it instead', 'subscription_id');
    END IF;
    v_version := v_plan.current_version;
    IF v_version = v_subscription.plan_version THEN
      RETURN;
    END IF;
  ELSIF v_plan.plan_id = v_subscription.plan_id THEN
    -- Who is on a plan stays on its version, and may go on with it whatever has become of it.
    v_version := v_subscription.plan_version;
  ELSIF v_plan.status <> 'active' THEN
    PERFORM fn_fail(409, 'plan_not_active', format('plan %s is %s: it takes no new subscriptions', to_json(p_plan_id), v_plan.status), 'plan_id');
  ELSE
    v_version := v_plan.current_version;
  END IF;
  PERFORM fn_subscription_switch(v_subscription, v_plan, v_version, coalesce(p_quantity, v_subscription.quantity), v_at, p_now);
END $$;
COMMENT ON FUNCTION fn_subscription_change IS
'Changes a subscription''s plan or quantity, cancels it or moves it to its plan''s newest version (p_operation: change, cancel, migrate), now or at the period''s end. A change or cancel replaces whatever was pending, a pending cancel too; to the plan it is on a subscription keeps its version. Canceling what has ended, or is to end by then, changes nothing. The caller holds its locks (fn_subscriptions_lock). ME404 not_found, ME409 subscription_ended, plan_not_active, change_pending, ME400 invalid_parameter (quantity).';
