CREATE OR REPLACE FUNCTION fn_reversal_draw(p_entry consumption_ledger, p_reversed numeric, p_quantity numeric) RETURNS usage_allocation[]
LANGUAGE sql STABLE AS $$
  WITH drawn AS (
    SELECT a.entitlement_id, a.bucket_id, a.window_start, a.window_end, a.counted_at, a.draw_order,
      a.included_quantity, a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier
    FROM consumption_allocations a WHERE a.entry_id = p_entry.entry_id
    UNION ALL
    -- What drew on no window gives back by the same rule.
    SELECT NULL, NULL, NULL, NULL, p_entry.counted_at, 1, p_entry.included_quantity, p_entry.overage_quantity, p_entry.excess_quantity, 0, 1
    WHERE p_entry.limit_kind_code IS DISTINCT FROM 'cumulative'
  ), line AS (
    -- From where to where of each is given back, once those drawn after it are given back in full.
    SELECT d.*, least(greatest(p_reversed - d.before, 0), d.quantity) AS since,
      least(greatest(p_reversed + p_quantity - d.before, 0), d.quantity) AS until
    FROM (
      SELECT d.*, d.included_quantity + d.overage_quantity + d.excess_quantity AS quantity,
        coalesce(sum(d.included_quantity + d.overage_quantity + d.excess_quantity)
          OVER (ORDER BY d.draw_order DESC, d.entitlement_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
      FROM drawn d
    ) d
  ), part AS (
    SELECT l.*, least(l.until, l.excess_quantity) - least(l.since, l.excess_quantity) AS excess,
      least(greatest(l.until - l.excess_quantity, 0), l.overage_quantity) - least(greatest(l.since - l.excess_quantity, 0), l.overage_quantity) AS overage
    FROM line l WHERE l.until > l.since
  )
  SELECT array_agg(ROW(1, NULL, p.entitlement_id, p.bucket_id, p.window_start, p.window_end, p.counted_at,
    -(p.until - p.since - p.overage - p.excess), -p.overage, -p.excess,
    -- Billed were the overage, or of an unlimited entitlement all of it, or nothing.
    CASE p.billable_quantity
      WHEN p.included_quantity + p.overage_quantity THEN -(p.until - p.since - p.excess)
      WHEN p.overage_quantity THEN -p.overage
      ELSE 0 END,
    p.overage_multiplier)::usage_allocation ORDER BY p.draw_order DESC)
  FROM part p
$$;
COMMENT ON FUNCTION fn_reversal_draw IS
'What a reversal of p_quantity gives back of an entry of which p_reversed was given back before: last drawn first, and of each allocation first the excess, then the overage, then the included; negative, with the billing facts of the original. One allocation without an entitlement: the entry drew on no window.';
