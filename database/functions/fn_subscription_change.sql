CREATE OR REPLACE FUNCTION fn_subscription_change(
  p_namespace namespaces, p_account_id uuid, p_subscription_id uuid, p_operation text, p_plan_id text, p_quantity numeric, p_when text, p_idempotency_key text
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_subscription subscriptions;
  v_plan plans;
  v_now timestamptz;
  v_at timestamptz;
  v_version int;
  v_result jsonb := jsonb_build_object('subscription_id', p_subscription_id);
  v_hash bytea := fn_request_hash(p_subscription_id::text, p_plan_id, trim_scale(p_quantity)::text, p_when);
BEGIN
  IF NOT EXISTS (
    SELECT FROM subscriptions s
    WHERE s.subscription_id = p_subscription_id AND s.account_id = p_account_id AND s.namespace_id = p_namespace.namespace_id
  ) THEN
    PERFORM fn_fail(404, 'not_found', 'the account has no such subscription', 'subscription_id');
  END IF;
  PERFORM fn_subscriptions_lock(ARRAY[p_subscription_id], p_plan_id);
  v_now := fn_now(p_namespace.namespace_id);
  IF p_idempotency_key IS NOT NULL THEN
    IF fn_replay(p_account_id, p_idempotency_key, p_operation, v_hash) IS NOT NULL THEN
      RETURN v_result || '{"duplicate":true}';
    END IF;
    PERFORM fn_remember(p_account_id, p_idempotency_key, p_operation, v_hash, v_result, v_now);
  END IF;
  SELECT (fn_subscription_at(s, v_now)).* INTO v_subscription FROM subscriptions s WHERE s.subscription_id = p_subscription_id;
  v_at := fn_subscription_moment(v_subscription, p_when, v_now);
  v_result := v_result || '{"duplicate":false}';
  IF p_operation = 'cancel' THEN
    IF p_when = 'now' THEN
      v_at := v_now;
    END IF;
    IF v_subscription.end_at <= v_now OR (v_subscription.canceled_at IS NOT NULL AND v_subscription.end_at <= v_at) THEN
      RETURN v_result;
    END IF;
    PERFORM fn_subscription_switch(v_subscription, NULL, NULL, NULL, v_at, v_now);
    RETURN v_result;
  END IF;

  IF v_subscription.end_at <= v_now THEN
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
      RETURN v_result;
    END IF;
  ELSIF v_plan.plan_id = v_subscription.plan_id THEN
    -- Who is on a plan stays on its version, and may go on with it whatever has become of it.
    v_version := v_subscription.plan_version;
  ELSIF v_plan.status <> 'active' THEN
    PERFORM fn_fail(409, 'plan_not_active', format('plan %s is %s: it takes no new subscriptions', to_json(p_plan_id), v_plan.status), 'plan_id');
  ELSE
    v_version := v_plan.current_version;
  END IF;
  PERFORM fn_subscription_switch(v_subscription, v_plan, v_version, coalesce(p_quantity, v_subscription.quantity), v_at, v_now);
  RETURN v_result;
END $$;
COMMENT ON FUNCTION fn_subscription_change IS
'Changes a subscription''s plan or quantity, cancels it or moves it to its plan''s newest version (p_operation: change, cancel, migrate), now or at the period''s end: {subscription_id, duplicate}. A change or cancel replaces whatever was pending, a pending cancel too; to the plan it is on a subscription keeps its version. Canceling what has ended, or is to end by then, changes nothing. Locks the subscription, then its resources. ME404 not_found, ME409 subscription_ended, plan_not_active, change_pending, idempotency_conflict.';
