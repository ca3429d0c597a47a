-- The account that the printed requests are about. Safe to run again: it must always have a little headroom, and a limit.
DO $$
DECLARE
  v_admin jsonb := '{"type":"jwt","namespace":"default","scopes":["admin"],"account":null,"subject":"npm run dev","request_id":"dev"}';
  v_account_id uuid;
BEGIN
  SELECT fn_account_ensure(n, 'demo') INTO v_account_id FROM namespaces n WHERE n.namespace_id = 'default';
  IF NOT EXISTS (SELECT FROM subscriptions s WHERE s.account_id = v_account_id) THEN
    PERFORM api_subscription_create(v_admin, '{"account_id":"demo","plan_id":"starter","idempotency_key":"demo"}');
  END IF;
  -- Rules for all accounts, which somebody may well try out, must not change what the demo shows.
  IF NOT EXISTS (SELECT FROM control_rules r WHERE r.account_id = v_account_id AND r.resource_type_code = 'benchmark_runs') THEN
    PERFORM api_rule_create(v_admin,
      '{"account_id":"demo","resource":"benchmark_runs","limit_kind":"cumulative","action":"block"}');
  END IF;
  IF NOT (SELECT c.allowed FROM fn_check_entitlement(v_account_id, 'benchmark_runs', NULL, 40) c) THEN
    -- In force since long ago, so that no test clock gets before it.
    PERFORM api_entitlement_grant(v_admin,
      '{"account_id":"demo","resource":"benchmark_runs","limit_kind":"cumulative","quantity":1000,"unit":"count",
        "window":"calendar_month","effective_start":"2020-01-01T00:00:00Z"}');
  END IF;
END $$;
