CREATE OR REPLACE FUNCTION fn_usage_series(
  p_account_id uuid, p_resource text, p_granularity text, p_from timestamptz, p_to timestamptz, p_timezone text
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_quarter CONSTANT interval := interval '15 minutes';
  -- Whole quarters lie in [v_first, v_last): the partial ones at both ends come from the ledger.
  v_first timestamptz := date_bin(v_quarter, p_from + v_quarter - interval '1 microsecond', 'epoch');
  v_last timestamptz := date_bin(v_quarter, p_to, 'epoch');
BEGIN
  RETURN (
    WITH period AS MATERIALIZED (
      SELECT p.starts_at, p.ends_at, greatest(p.starts_at, v_first) AT TIME ZONE 'UTC' AS first, least(p.ends_at, v_last) AT TIME ZONE 'UTC' AS last
      FROM fn_usage_periods(p_granularity, p_from, p_to, p_timezone) p
    ), segment AS (
      SELECT p.starts_at, d::date AS day,
        greatest((extract(epoch FROM p.first - d) / 900)::int, 0) + 1 AS slot_from, least((extract(epoch FROM p.last - d) / 900)::int, 96) AS slot_to
      FROM period p CROSS JOIN generate_series(date_trunc('day', p.first), p.last - v_quarter, '1 day') d
    ), part AS (
      SELECT s.starts_at,
        -- A day that is taken whole needs no look into its quarters.
        CASE WHEN s.slot_to - s.slot_from = 95 THEN r.quantity ELSE (SELECT sum(q) FROM unnest(r.quarters[s.slot_from:s.slot_to]) q) END AS quantity,
        CASE WHEN s.slot_to - s.slot_from = 95 THEN r.overage_quantity ELSE (SELECT sum(q) FROM unnest(r.overage_quarters[s.slot_from:s.slot_to]) q) END AS overage
      FROM segment s JOIN usage_rollups r USING (day)
      WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource
        AND r.day BETWEEN (v_first AT TIME ZONE 'UTC')::date AND (v_last AT TIME ZONE 'UTC')::date
      UNION ALL
      SELECT p_from, u.quantity, u.overage FROM fn_usage_between(p_account_id, p_resource, p_from, least(v_first, p_to)) u
      UNION ALL
      SELECT (SELECT max(p.starts_at) FROM period p), u.quantity, u.overage
      FROM fn_usage_between(p_account_id, p_resource, greatest(v_first, v_last), p_to) u
    )
    SELECT jsonb_agg(jsonb_build_object('start', fn_rfc3339(p.starts_at), 'end', fn_rfc3339(p.ends_at),
      'quantity', fn_number(coalesce(t.quantity, 0)), 'overage_quantity', fn_number(coalesce(t.overage, 0))) ORDER BY p.starts_at)
    FROM period p LEFT JOIN (SELECT s.starts_at, sum(s.quantity) AS quantity, sum(s.overage) AS overage FROM part s GROUP BY 1) t USING (starts_at)
  );
END $$;
COMMENT ON FUNCTION fn_usage_series IS
'Usage by occurred_at, net of reversals, in the periods of fn_usage_periods: [{start, end, quantity, overage_quantity}], empty ones included. Whole days and quarters of an hour from the rollups, of all buckets, what stands out at the ends from the ledger: its cost is bounded by the days and a quarter''s entries at each end.';
