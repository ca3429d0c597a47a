-- Look-up data and the sample plans of the seeds. Safe to run again; never changes a row that exists.
INSERT INTO namespaces (namespace_id, is_sandbox, raw_uuids) VALUES
  ('default', true, true),
  ('metrum-insights', false, true)
ON CONFLICT DO NOTHING;

INSERT INTO limit_kinds (limit_kind_code, decision_order, description) VALUES
  ('cumulative', 1, 'Usage that resets per window'),
  ('inventory', 2, 'Count of owned items'),
  ('concurrency', 3, 'Simultaneous usage'),
  ('time_access', 4, 'Time-bound access')
ON CONFLICT DO NOTHING;

INSERT INTO limit_actions (limit_action_code, description) VALUES
  ('block', 'Hard deny when limit reached'),
  ('warn', 'Allow but notify'),
  ('grace', 'Allow temporary overage'),
  ('overage', 'Allow and bill for extra')
ON CONFLICT DO NOTHING;

INSERT INTO window_types (window_type_code, window_class, period, description) VALUES
  ('calendar_month', 'calendar', '1 month', '1st of each month'),
  ('billing_cycle', 'anchored', '1 month', 'Subscription anniversary'),
  ('rolling_30d', 'rolling', '30 days', '30 days from any point'),
  ('none', 'none', null, 'Never (lifetime, prepaid)'),
  ('calendar_day', 'calendar', '1 day', 'Midnight'),
  ('calendar_week', 'calendar', '7 days', 'Monday'),
  ('calendar_quarter', 'calendar', '3 months', '1st of January, April, July, October'),
  ('calendar_year', 'calendar', '12 months', '1st of January'),
  ('billing_year', 'anchored', '12 months', 'Yearly subscription anniversary'),
  ('rolling_7d', 'rolling', '7 days', '7 days from any point'),
  ('rolling_24h', 'rolling', '24 hours', '24 hours from any point')
ON CONFLICT DO NOTHING;

INSERT INTO unit_types (unit_code, dimension, factor) VALUES
  ('count', 'count', 1),
  ('seconds', 'time', 1),
  ('minutes', 'time', 60),
  ('hours', 'time', 3600),
  ('days', 'time', 86400),
  ('bytes', 'data', 1),
  ('kilobytes', 'data', 1000),
  ('megabytes', 'data', 1000000),
  ('gigabytes', 'data', 1000000000),
  ('terabytes', 'data', 1000000000000),
  ('tokens', 'tokens', 1)
ON CONFLICT DO NOTHING;

INSERT INTO resource_types (resource_type_code, resource_name, unit_code) VALUES
  ('platform_access', 'Platform access', 'days'),
  ('benchmark_runs', 'Benchmark runs', 'count'),
  ('gpu_hours', 'GPU hours', 'hours'),
  ('named_users', 'Named users', 'count'),
  ('concurrent_users', 'Concurrent users', 'count'),
  ('server_configs', 'Server configurations', 'count'),
  ('ai_models', 'AI models', 'count')
ON CONFLICT DO NOTHING;

INSERT INTO plans (plan_id, plan_name, status) VALUES
  ('starter', 'Starter', 'active'),
  ('starter-50', 'Starter 50', 'active'),
  ('pro', 'Pro', 'active'),
  ('enterprise', 'Enterprise', 'active')
ON CONFLICT DO NOTHING;

-- Only into plans that have none: what somebody made of a sample plan stays.
INSERT INTO plan_entitlement_templates
  (plan_id, resource_type_code, limit_kind_code, quantity_allowed, unit_code, window_type_code)
SELECT t.* FROM (VALUES
  ('starter', 'concurrent_users', 'concurrency', 2::numeric, 'count', NULL),
  ('starter', 'server_configs', 'inventory', 1, 'count', NULL),
  ('starter', 'benchmark_runs', 'cumulative', 50, 'count', 'calendar_month'),
  ('starter', 'gpu_hours', 'cumulative', 10, 'hours', 'calendar_month'),
  ('pro', 'concurrent_users', 'concurrency', 10, 'count', NULL),
  ('pro', 'server_configs', 'inventory', 3, 'count', NULL),
  ('pro', 'benchmark_runs', 'cumulative', 500, 'count', 'calendar_month'),
  ('pro', 'gpu_hours', 'cumulative', 100, 'hours', 'calendar_month'),
  ('enterprise', 'concurrent_users', 'concurrency', NULL, 'count', NULL),
  ('enterprise', 'server_configs', 'inventory', NULL, 'count', NULL),
  ('enterprise', 'benchmark_runs', 'cumulative', NULL, 'count', 'calendar_month'),
  ('enterprise', 'gpu_hours', 'cumulative', NULL, 'hours', 'calendar_month')
) AS t (plan_id, resource_type_code, limit_kind_code, quantity_allowed, unit_code, window_type_code)
WHERE NOT EXISTS (
  SELECT FROM plan_entitlement_templates p WHERE p.namespace_id = 'default' AND p.plan_id = t.plan_id
);
