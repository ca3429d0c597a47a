CREATE OR REPLACE FUNCTION fn_subscribe(
  p_namespace namespaces, p_account_id uuid, p_account text, p_plan_id text, p_start timestamptz, p_quantity numeric, p_idempotency_key text
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_plan plans;
  v_templates plan_entitlement_templates[];
  v_now timestamptz;
  v_answer jsonb;
  v_subscription subscriptions;
  v_start timestamptz;
  v_end timestamptz;
  v_hash bytea := fn_request_hash(p_plan_id, trim_scale(p_quantity)::text, fn_rfc3339(p_start));
BEGIN
  SELECT p.* INTO v_plan FROM plans p WHERE p.namespace_id = p_namespace.namespace_id AND p.plan_id = p_plan_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', format('there is no plan %s', to_json(p_plan_id)), 'plan_id');
  END IF;
  SELECT array_agg(t) INTO v_templates FROM plan_entitlement_templates t
  WHERE t.namespace_id = v_plan.namespace_id AND t.plan_id = v_plan.plan_id AND t.plan_version = v_plan.current_version;
  PERFORM fn_bump_resources((
    SELECT array_agg(DISTINCT fn_resource_key(p_account_id, t.resource_type_code)) FROM unnest(v_templates) t
  ));
  IF v_templates IS NULL THEN
    -- No resource to lock: one at a time all the same, so that a key counts once.
    PERFORM FROM accounts a WHERE a.account_id = p_account_id FOR UPDATE;
  END IF;
  v_now := fn_now(p_namespace.namespace_id);
  v_answer := fn_replay_grants(p_account_id, p_account, p_idempotency_key, 'subscribe', v_hash, v_now);
  IF v_answer IS NOT NULL THEN
    RETURN v_answer;
  END IF;
  IF v_plan.status <> 'active' THEN
    PERFORM fn_fail(409, 'plan_not_active', format('plan %s is %s: it takes no new subscriptions', to_json(p_plan_id), v_plan.status), 'plan_id');
  END IF;
  v_start := date_trunc('milliseconds', coalesce(p_start, v_now));
  v_end := CASE WHEN v_plan.is_trial THEN v_start + make_interval(days => v_plan.trial_days) END;
  INSERT INTO subscriptions (subscription_id, namespace_id, account_id, plan_id, plan_version, quantity, start_at, end_at, billing_anchor,
    created_at, plan_start, trial_end)
  VALUES (fn_uuid7(), v_plan.namespace_id, p_account_id, v_plan.plan_id, v_plan.current_version, p_quantity,
    v_start, v_end, v_start, v_now, v_start, v_end)
  RETURNING * INTO v_subscription;
  PERFORM fn_plan_grant(v_subscription, v_start, v_now, '{}');
  v_answer := fn_subscription_answer(v_subscription.subscription_id, p_account, v_now);
  RETURN fn_remember_grants(p_account_id, p_idempotency_key, 'subscribe', v_hash, v_answer, v_now);
END $$;
COMMENT ON FUNCTION fn_subscribe IS
'Subscribes an account to a plan''s current version: {subscription, entitlements, duplicate}. p_account: the account as the caller writes it. What it grants: fn_plan_grant; a trial ends after its trial_days; the billing anchor is the start. Locks the plan''s resources. ME404 not_found, ME409 plan_not_active, idempotency_conflict, ME400 invalid_parameter (quantity).';
