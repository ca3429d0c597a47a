CREATE OR REPLACE FUNCTION fn_limit_states(
  p_states entitlement_state[], p_namespace_id text, p_account_id uuid, p_resource text, p_at timestamptz
) RETURNS limit_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_limits limit_state[];
BEGIN
  WITH kind AS (
    SELECT s.limit_kind_code,
      sum(s.quantity_limit) FILTER (WHERE s.covers) AS quantity_limit,
      sum(greatest(s.used, 0)) FILTER (WHERE s.covers) AS used,
      sum(s.held) FILTER (WHERE s.covers) AS held,
      sum(greatest(s.quantity_limit - greatest(s.used, 0) - s.held, 0)) FILTER (WHERE s.covers) AS headroom,
      array_agg(s.plan_id) FILTER (WHERE s.covers AND s.plan_id IS NOT NULL) AS plan_ids,
      sum(greatest(greatest(s.used, 0) + s.held - s.quantity_limit, 0)) AS over,
      sum(s.overage) AS overage,
      min(s.window_end) FILTER (WHERE s.rolling_since IS NULL) AS resets_at,
      min(s.effective_end) FILTER (WHERE s.covers) AS ends_at,
      (array_agg(s.window_type_code ORDER BY d.window_end, s.n) FILTER (WHERE s.covers))[1] AS window_type_code,
      (array_agg(coalesce(s.rolling_since, s.window_start) ORDER BY d.window_end, s.n) FILTER (WHERE s.covers))[1] AS window_start,
      (array_agg(d.window_end ORDER BY d.window_end, s.n) FILTER (WHERE s.covers))[1] AS window_end,
      array_agg(s.bucket_id) FILTER (WHERE s.rolling_since IS NOT NULL) AS rolling_buckets,
      min(s.rolling_since) AS rolling_since
    FROM unnest(p_states) WITH ORDINALITY AS s (
      entitlement_id, bucket_id, limit_kind_code, plan_id, resource_scope, covers, quantity_limit, used, held, overage,
      window_type_code, window_start, window_end, rolling_since, effective_end, n)
    CROSS JOIN LATERAL (
      SELECT CASE WHEN s.rolling_since IS NOT NULL THEN 'infinity'
                  WHEN s.window_type_code = 'none' THEN s.effective_end ELSE s.window_end END AS window_end
    ) d
    GROUP BY s.limit_kind_code
    HAVING bool_or(s.covers)
  )
  SELECT array_agg(ROW(
      k.limit_kind_code, k.quantity_limit, k.used, k.held, k.headroom, k.window_type_code, k.window_start, k.window_end,
      coalesce(r.limit_action_code, 'block'), r.warn_at_percent, coalesce(r.overage_multiplier, 1), coalesce(r.on_error, 'deny'),
      CASE WHEN r.overage_cap IS NULL THEN 'Infinity' ELSE greatest(r.overage_cap - k.overage, 0) END,
      CASE WHEN r.grace_seconds IS NULL THEN true
           WHEN g.exceeded_at IS NULL THEN r.grace_seconds > 0
           ELSE p_at < g.exceeded_at + make_interval(secs => r.grace_seconds) END,
      CASE WHEN r.grace_percent IS NULL OR k.quantity_limit = 'Infinity' THEN 'Infinity'
           ELSE greatest(k.quantity_limit * r.grace_percent / 100 - k.over, 0) END,
      g.exceeded_at + make_interval(secs => r.grace_seconds), r.grace_seconds,
      k.over,
      least(k.ends_at, nullif(k.resets_at, 'infinity'), CASE WHEN f.entering_at > p_at THEN f.entering_at END,
        CASE WHEN r.limit_action_code = 'grace' AND g.exceeded_at + make_interval(secs => r.grace_seconds) > p_at
             THEN g.exceeded_at + make_interval(secs => r.grace_seconds) END),
      f.leaving_at)::limit_state ORDER BY l.decision_order)
  INTO v_limits
  FROM kind k
  JOIN limit_kinds l USING (limit_kind_code)
  LEFT JOIN LATERAL fn_control_rule(p_namespace_id, p_account_id, p_resource, k.limit_kind_code, k.plan_ids) r ON true
  LEFT JOIN LATERAL fn_grace_clock(p_account_id, p_resource, k.limit_kind_code, k.over, p_at) g ON true
  LEFT JOIN LATERAL (
    SELECT min(o.counted_at) + (p_at - k.rolling_since) AS leaving_at, min(n.counted_at) AS entering_at
    FROM unnest(k.rolling_buckets) b (bucket_id)
    LEFT JOIN LATERAL (
      SELECT a.counted_at FROM consumption_allocations a
      WHERE a.bucket_id = b.bucket_id AND a.counted_at > k.rolling_since ORDER BY a.counted_at LIMIT 1
    ) o ON true
    LEFT JOIN LATERAL (
      SELECT a.counted_at FROM consumption_allocations a
      WHERE a.bucket_id = b.bucket_id AND a.counted_at > p_at ORDER BY a.counted_at LIMIT 1
    ) n ON true
  ) f ON true;
  RETURN v_limits;
END $$;
COMMENT ON FUNCTION fn_limit_states IS
'Adds up the entitlements that cover the scope, kind by kind in decision order, and joins the rule and the grace clock; cap and grace count over all scopes. Unlimited sums are ''Infinity''. Null: no kind is in force. (plpgsql, here and wherever a query is long: its plan is kept for the session.)';
