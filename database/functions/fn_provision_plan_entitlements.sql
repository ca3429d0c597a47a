CREATE OR REPLACE FUNCTION fn_provision_plan_entitlements(p_account_id uuid, p_plan_id text, p_start timestamptz DEFAULT NULL) RETURNS SETOF entitlements
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
  v_subscription_id uuid;
BEGIN
  -- A new account belongs where its plan is.
  IF p_account_id IS NOT NULL AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = p_account_id) THEN
    INSERT INTO accounts (account_id, namespace_id)
    SELECT p_account_id, p.namespace_id FROM plans p WHERE p.plan_id = p_plan_id
    ORDER BY p.namespace_id <> 'default', p.namespace_id LIMIT 1
    ON CONFLICT DO NOTHING;
  END IF;
  v_namespace := fn_account_namespace(p_account_id);
  v_subscription_id := fn_subscribe(v_namespace, p_account_id, NULL, p_plan_id, p_start, 1, NULL) #>> '{subscription,subscription_id}';
  RETURN QUERY SELECT e.* FROM entitlements e WHERE e.subscription_id = v_subscription_id;
END $$;
COMMENT ON FUNCTION fn_provision_plan_entitlements IS
'Subscribes an account to the current version of a plan from p_start on (default now) and gives the entitlements made. ME404 not_found, ME409 plan_not_active.';
