CREATE OR REPLACE FUNCTION fn_plan_grant(p_subscription subscriptions, p_at timestamptz, p_now timestamptz, p_replaced entitlements[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF fn_plan_too_large(p_subscription.namespace_id, p_subscription.plan_id, p_subscription.plan_version, p_subscription.quantity) THEN
    PERFORM fn_fail(400, 'invalid_parameter',
      format('%s times what plan %s grants is not below 10^15 or has more than 15 digits', fn_number(p_subscription.quantity), to_json(p_subscription.plan_id)),
      'quantity');
  END IF;
  WITH replaced AS (
    SELECT r.*, row_number() OVER (
      PARTITION BY r.resource_type_code, r.resource_scope, r.window_type_code ORDER BY r.priority, r.created_at, r.entitlement_id) AS place
    FROM unnest(p_replaced) r WHERE r.limit_kind_code = 'cumulative'
  ), granted AS (
    SELECT fn_uuid7() AS entitlement_id, t.*, w.window_class,
      least(p_subscription.plan_start + make_interval(days => t.duration_days), p_subscription.trial_end) AS effective_end,
      row_number() OVER (
        PARTITION BY t.resource_type_code, t.resource_scope, t.limit_kind_code, t.window_type_code ORDER BY t.priority) AS place
    FROM plan_entitlement_templates t LEFT JOIN window_types w USING (window_type_code)
    WHERE t.namespace_id = p_subscription.namespace_id AND t.plan_id = p_subscription.plan_id AND t.plan_version = p_subscription.plan_version
  )
  INSERT INTO entitlements (entitlement_id, account_id, resource_type_code, resource_scope, limit_kind_code, quantity_allowed, unit_code,
    window_type_code, priority, effective_start, effective_end, source_type, plan_id, plan_version, subscription_id, created_at,
    bucket_id, window_anchor, rollover_max_quantity, rollover_percent)
  SELECT g.entitlement_id, p_subscription.account_id, g.resource_type_code, g.resource_scope, g.limit_kind_code,
    fn_multiplied(g.quantity_allowed, p_subscription.quantity), g.unit_code,
    g.window_type_code, g.priority, p_at, g.effective_end,
    'plan', p_subscription.plan_id, p_subscription.plan_version, p_subscription.subscription_id, p_now,
    r.bucket_id, coalesce(r.window_anchor, CASE WHEN g.window_class = 'anchored' THEN p_subscription.billing_anchor END),
    fn_multiplied(g.rollover_max_quantity, p_subscription.quantity),
    -- What was rolled over into the running window stays when the new plan rolls over nothing.
    CASE WHEN g.rollover_max_quantity IS NULL AND g.rollover_percent IS NULL AND r.rollover_limit IS NOT NULL THEN 0 ELSE g.rollover_percent END
  FROM granted g
  LEFT JOIN replaced r ON g.limit_kind_code = 'cumulative' AND r.resource_type_code = g.resource_type_code
    AND r.resource_scope IS NOT DISTINCT FROM g.resource_scope AND r.window_type_code = g.window_type_code AND r.place = g.place
  WHERE g.effective_end IS NULL OR g.effective_end > p_at;
END $$;
COMMENT ON FUNCTION fn_plan_grant IS
'Grants from p_at on what a subscription''s plan version grants: quantities × the subscription''s (fn_multiplied); ended by the plan''s trial and by each duration, both counted from plan_start. Of what it replaces, the cumulative entitlement of the same resource, scope and window type (of several, in draw order, the one in the same place) hands on its bucket and anchor, and so its usage. A billing cycle without one is anchored where the subscription is. ME400 invalid_parameter (quantity): fn_plan_too_large.';
