CREATE OR REPLACE FUNCTION fn_subscriptions_lock(p_subscription_ids uuid[], p_plan_id text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- Their own rows first, so that what they hold stands still while its locks are taken.
  PERFORM FROM subscriptions s WHERE s.subscription_id = ANY (p_subscription_ids) ORDER BY s.subscription_id FOR UPDATE;
  PERFORM fn_bump_resources((
    SELECT array_agg(fn_resource_key(k.account_id, k.resource_type_code))
    FROM (
      SELECT e.account_id, e.resource_type_code FROM entitlements e WHERE e.subscription_id = ANY (p_subscription_ids)
      UNION
      SELECT s.account_id, t.resource_type_code FROM subscriptions s
      JOIN plan_entitlement_templates t ON t.namespace_id = s.namespace_id AND t.plan_id IN (p_plan_id, s.plan_id, s.pending_plan_id)
      WHERE s.subscription_id = ANY (p_subscription_ids)
    ) k
  ));
END $$;
COMMENT ON FUNCTION fn_subscriptions_lock IS
'Locks subscriptions, by their ids, and then every resource that they, or p_plan_id in their place, may concern, in the one order; bumps their versions.';
