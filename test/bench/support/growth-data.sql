-- Fills an empty database as the functions would have left it after $entries uses of three accounts each and few of all
-- others. Uses are of 1 each, evenly spread over the past 30 days, so that both a month and a rolling window hold them;
-- those of the account yearly over a year. Accounts named after a number of entries, or of stacked entitlements, have so many.
-- Triggers are off for the speed of it: what they would have filled in stands here. The hashes of the chain are as long as
-- true ones, and nothing else: only what verifies them would know.
BEGIN;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '256MB';
ALTER TABLE entitlements DISABLE TRIGGER USER;
ALTER TABLE resource_state DISABLE TRIGGER USER;

CREATE TEMP TABLE holding ON COMMIT DROP AS
SELECT fn_account_uuid(n, h.name) AS account_id, h.name, h.window_type, h.entries, gen_random_uuid() AS entitlement_id,
  CASE h.name WHEN 'yearly' THEN interval '365 days' ELSE interval '30 days' END AS past
FROM namespaces n, (
  VALUES ('calendar', 'calendar_month', $entries), ('rolling', 'rolling_30d', $entries), ('yearly', 'calendar_month', $entries), ('single', 'calendar_month', 500)
  UNION ALL SELECT 'calendar_' || entries, 'calendar_month', entries FROM unnest(ARRAY[1000, 10000, 100000]) entries WHERE entries < $entries
  UNION ALL SELECT 'stacked', 'calendar_month', 10 FROM generate_series(1, 50)
  UNION ALL SELECT 'stacked_' || high, 'calendar_month', 10 FROM unnest(ARRAY[2, 5, 10, 20]) high, generate_series(1, high)
  UNION ALL SELECT 'other_' || i, 'calendar_month', 1 FROM generate_series(5, $accounts) i
) AS h (name, window_type, entries)
WHERE n.namespace_id = 'default';

INSERT INTO accounts (account_id, namespace_id, external_id) SELECT DISTINCT account_id, 'default', name FROM holding;
INSERT INTO resource_state (account_id, resource_type_code, key_version, chain_seq, chain_hash)
SELECT account_id, 'benchmark_runs', sum(entries), sum(entries), sha256(account_id::text::bytea) FROM holding GROUP BY 1;
INSERT INTO entitlements (entitlement_id, account_id, resource_type_code, limit_kind_code, quantity_allowed, unit_code,
  window_type_code, window_class, window_period, effective_start, bucket_id, window_anchor, limit_quantity, created_at)
SELECT h.entitlement_id, h.account_id, 'benchmark_runs', 'cumulative', 1000000000, 'count', h.window_type, w.window_class, w.period,
  date_trunc('day', now()) - interval '30 days' - h.past, h.entitlement_id, date_trunc('day', now()) - interval '30 days' - h.past, 1000000000, now()
FROM holding h JOIN window_types w ON w.window_type_code = h.window_type;

CREATE TEMP TABLE used ON COMMIT DROP AS
SELECT u.*, floor(extract(epoch FROM u.counted_at))::bigint % 86400 / 900 + 1 AS slot, u.counted_at::date AS day,
  -- Ordered by time, like fn_uuid7's.
  (lpad(to_hex((extract(epoch FROM u.counted_at) * 1000)::bigint), 12, '0') || '7' || substr(u.random, 1, 3) || '8' || substr(u.random, 4, 15))::uuid AS entry_id
FROM (
  SELECT h.account_id, h.entitlement_id, h.window_type, i, md5(h.entitlement_id::text || i) AS random,
    date_trunc('milliseconds', now() - h.past * (1 - i::float8 / h.entries)) AS counted_at
  FROM holding h, generate_series(1, h.entries) i
) u
ORDER BY u.counted_at;

INSERT INTO consumption_ledger (entry_id, namespace_id, account_id, resource_type_code, entry_kind, limit_kind_code,
  idempotency_key, quantity, unit_code, original_quantity, original_unit_code, occurred_at, recorded_at, counted_at, is_late,
  included_quantity, overage_quantity, excess_quantity, chain_seq, chain_hash)
SELECT entry_id, 'default', account_id, 'benchmark_runs', 'usage', 'cumulative',
  'use_' || random, 1, 'count', 1, 'count', counted_at, counted_at, counted_at, false, 1, 0, 0,
  row_number() OVER (PARTITION BY account_id ORDER BY counted_at, entry_id), sha256(random::bytea)
FROM used ORDER BY counted_at;

INSERT INTO consumption_allocations (entry_id, entitlement_id, account_id, resource_type_code, bucket_id, window_start, window_end,
  counted_at, included_quantity, overage_quantity, excess_quantity, billable_quantity, overage_multiplier)
SELECT entry_id, entitlement_id, account_id, 'benchmark_runs', entitlement_id,
  date_trunc('month', counted_at), date_trunc('month', counted_at) + interval '1 month', counted_at, 1, 0, 0, 0, 1
FROM used;

INSERT INTO idempotency_keys (account_id, idempotency_key, operation, request_hash, result, created_at)
SELECT account_id, 'use_' || random, 'meter', sha256(random::bytea), jsonb_build_object('entry_id', entry_id), counted_at FROM used;

INSERT INTO entitlement_windows (account_id, resource_type_code, window_end, bucket_id, window_start, used,
  included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount)
SELECT account_id, 'benchmark_runs', date_trunc('month', counted_at) + interval '1 month', entitlement_id,
  date_trunc('month', counted_at), count(*), count(*), 0, 0, 0, 0
FROM used GROUP BY 1, 3, 4, 5;

WITH quarter AS (SELECT account_id, entitlement_id, day, slot, count(*) AS quantity FROM used GROUP BY 1, 2, 3, 4),
  -- From the first slot in use to the last: what stands between and was not used is null.
  slots AS (SELECT account_id, entitlement_id, day, generate_series(1, max(slot)) AS slot FROM quarter GROUP BY 1, 2, 3)
INSERT INTO usage_rollups (account_id, resource_type_code, bucket_id, day, quantity, overage_quantity, quarters, overage_quarters)
SELECT account_id, 'benchmark_runs', entitlement_id, day, sum(quantity), 0,
  array_agg(quantity ORDER BY slot), array_agg(NULL::numeric)
FROM slots LEFT JOIN quarter USING (account_id, entitlement_id, day, slot) GROUP BY 1, 3, 4;

ALTER TABLE entitlements ENABLE TRIGGER USER;
ALTER TABLE resource_state ENABLE TRIGGER USER;
COMMIT;
