CREATE OR REPLACE FUNCTION fn_differences(p_account_id uuid, p_resource text) RETURNS TABLE (law text, subject text)
LANGUAGE sql STABLE AS $$
  WITH ledger AS MATERIALIZED (
    SELECT l.entry_id, l.resource_scope, l.limit_kind_code, l.quantity, l.included_quantity, l.overage_quantity, l.excess_quantity,
      l.occurred_at, l.counted_at, l.recorded_at
    FROM consumption_ledger l WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource
  ), allocations AS MATERIALIZED (
    SELECT a.*, a.included_quantity + a.overage_quantity + a.excess_quantity AS quantity FROM ledger l JOIN consumption_allocations a USING (entry_id)
  ), windows AS (
    SELECT * FROM entitlement_windows w WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
  ), counted AS (
    SELECT a.bucket_id, a.window_end, sum(a.included_quantity) AS included, sum(a.overage_quantity) AS overage, sum(a.excess_quantity) AS excess,
      sum(a.billable_quantity) AS billable, sum(a.billable_quantity * a.overage_multiplier) AS amount
    FROM allocations a GROUP BY 1, 2
    UNION ALL
    SELECT '00000000-0000-0000-0000-000000000000'::uuid, (date_trunc('month', l.recorded_at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC',
      sum(l.included_quantity), sum(l.overage_quantity), sum(l.excess_quantity), 0, 0
    FROM ledger l WHERE l.limit_kind_code IS DISTINCT FROM 'cumulative' GROUP BY 1, 2
  ), parts AS (
    SELECT * FROM entitlement_window_parts w WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
  ), billed AS (
    SELECT i.item FROM namespaces n JOIN accounts a USING (namespace_id)
    CROSS JOIN LATERAL fn_billing_items(n, p_account_id, p_resource, NULL, NULL, '-infinity', 'infinity', '-infinity') i
    WHERE a.account_id = p_account_id
  ), rollups AS (
    SELECT * FROM usage_rollups r WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource
  ), used AS (
    SELECT a.bucket_id, a.counted_at AS at, a.quantity, a.overage_quantity AS overage FROM allocations a
    UNION ALL
    SELECT '00000000-0000-0000-0000-000000000000', l.counted_at, l.quantity, l.overage_quantity
    FROM ledger l WHERE l.limit_kind_code IS DISTINCT FROM 'cumulative'
    UNION ALL
    SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', m.at, m.sign * l.quantity, m.sign * l.overage_quantity
    FROM ledger l CROSS JOIN LATERAL (VALUES (l.occurred_at, 1), (l.counted_at, -1)) AS m (at, sign)
    WHERE l.counted_at <> l.occurred_at
  ), rolled AS (
    SELECT u.bucket_id, (u.at AT TIME ZONE 'UTC')::date AS day, fn_quarter(u.at) AS slot,
      sum(u.quantity) AS quantity, sum(u.overage) AS overage
    FROM used u GROUP BY 1, 2, 3
  )
  SELECT 'quantity = included + overage + excess', l.entry_id::text
  FROM ledger l WHERE l.quantity <> l.included_quantity + l.overage_quantity + l.excess_quantity
  UNION ALL
  SELECT 'what drew on a window says on which, in full; nothing else does', l.entry_id::text
  FROM ledger l
  LEFT JOIN (
    SELECT a.entry_id, sum(a.included_quantity) AS included, sum(a.overage_quantity) AS overage, sum(a.excess_quantity) AS excess
    FROM allocations a GROUP BY 1
  ) a USING (entry_id)
  WHERE CASE WHEN l.limit_kind_code = 'cumulative'
    THEN (l.included_quantity, l.overage_quantity, l.excess_quantity) IS DISTINCT FROM (a.included, a.overage, a.excess)
    ELSE a.entry_id IS NOT NULL END
  UNION ALL
  SELECT 'an allocation counts within its window', a.entry_id::text
  FROM allocations a WHERE NOT (a.counted_at >= a.window_start AND a.counted_at < a.window_end)
  UNION ALL
  SELECT 'counter = carried over + Σ allocations', concat_ws('/', bucket_id, fn_rfc3339(window_end))
  FROM windows w FULL JOIN counted c USING (bucket_id, window_end)
  WHERE (w.used, w.included_quantity, w.overage_quantity, w.excess_quantity, w.billable_quantity, w.billable_amount) IS DISTINCT FROM
    (w.carried + coalesce(c.included + c.overage + c.excess, 0), coalesce(c.included, 0), coalesce(c.overage, 0), coalesce(c.excess, 0),
      coalesce(c.billable, 0), coalesce(c.amount, 0))
  UNION ALL
  SELECT 'part of a window = Σ allocations of its entitlement', concat_ws('/', entitlement_id, fn_rfc3339(window_end))
  FROM parts p
  FULL JOIN (
    SELECT a.bucket_id, a.window_end, a.entitlement_id, sum(a.included_quantity) AS included, sum(a.overage_quantity) AS overage,
      sum(a.excess_quantity) AS excess, sum(a.billable_quantity) AS billable, sum(a.billable_quantity * a.overage_multiplier) AS amount
    FROM allocations a WHERE a.entitlement_id <> a.bucket_id GROUP BY 1, 2, 3
  ) a USING (bucket_id, window_end, entitlement_id)
  WHERE (p.included_quantity, p.overage_quantity, p.excess_quantity, p.billable_quantity, p.billable_amount) IS DISTINCT FROM
    (a.included, a.overage, a.excess, a.billable, a.amount)
  UNION ALL
  SELECT 'bills, open and closed, = ledger', p_resource
  FROM (
    SELECT coalesce(sum((b.item ->> 'included_quantity')::numeric), 0) AS included, coalesce(sum((b.item ->> 'overage_quantity')::numeric), 0) AS overage,
      coalesce(sum((b.item ->> 'excess_quantity')::numeric), 0) AS excess, coalesce(sum((b.item ->> 'billable_quantity')::numeric), 0) AS billable,
      coalesce(sum((b.item ->> 'billable_amount')::numeric), 0) AS amount
    FROM billed b
  ) b
  CROSS JOIN (
    SELECT coalesce(sum(l.included_quantity), 0) AS included, coalesce(sum(l.overage_quantity), 0) AS overage,
      coalesce(sum(l.excess_quantity), 0) AS excess
    FROM ledger l
  ) l
  CROSS JOIN (
    SELECT coalesce(sum(a.billable_quantity), 0) AS billable, coalesce(sum(a.billable_quantity * a.overage_multiplier), 0) AS amount
    FROM allocations a
  ) a
  WHERE (b.included, b.overage, b.excess, b.billable, b.amount) <> (l.included, l.overage, l.excess, a.billable, a.amount)
  UNION ALL
  SELECT 'rollups = ledger, by quarter of an hour', concat_ws('/', bucket_id, day, slot)
  FROM rolled e
  FULL JOIN (
    SELECT r.bucket_id, r.day, s.slot, r.quarters[s.slot] AS quantity, coalesce(r.overage_quarters[s.slot], 0) AS overage
    FROM rollups r CROSS JOIN generate_series(1, 96) s (slot) WHERE r.quarters[s.slot] IS NOT NULL
  ) k USING (bucket_id, day, slot)
  WHERE (e.quantity, e.overage) IS DISTINCT FROM (k.quantity, k.overage)
  UNION ALL
  SELECT 'rollups by day = by quarter of an hour', concat_ws('/', r.bucket_id, r.day)
  FROM rollups r
  WHERE (r.quantity, r.overage_quantity) IS DISTINCT FROM
    ((SELECT sum(q) FROM unnest(r.quarters) q), (SELECT coalesce(sum(q), 0) FROM unnest(r.overage_quarters) q))
  UNION ALL
  SELECT 'stock = Σ of its ledger entries, per scope, and never below zero', p_resource
  FROM (SELECT * FROM inventory_totals t WHERE t.account_id = p_account_id AND t.resource_type_code = p_resource) t
  FULL JOIN (
    SELECT coalesce(l.resource_scope, '') AS resource_scope, sum(l.quantity) AS quantity
    FROM ledger l WHERE fn_moves_stock(l.limit_kind_code) GROUP BY 1
  ) l USING (resource_scope)
  WHERE t.quantity IS DISTINCT FROM l.quantity OR t.quantity < 0
$$;
COMMENT ON FUNCTION fn_differences IS
'Where the counters of an (account, resource) differ from its ledger, as laws that are broken and the id (entry; bucket/window; bucket/day/quarter) for which they are: none. One statement, one moment, so that commands at work do not disturb it. Names no personal strings.';
