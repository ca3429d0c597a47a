CREATE OR REPLACE FUNCTION fn_rolling_moves(
  p_states entitlement_state[], p_kind text, p_at timestamptz, OUT entering_at timestamptz, OUT leaving_at timestamptz
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT least(min(n.counted_at), min(b.counted_at + s.window_period)), min(o.counted_at + s.window_period) INTO entering_at, leaving_at
  FROM unnest(p_states) s
  LEFT JOIN LATERAL (
    SELECT a.counted_at FROM consumption_allocations a
    WHERE a.bucket_id = s.bucket_id AND a.counted_at > s.rolling_since ORDER BY a.counted_at LIMIT 1
  ) o ON true
  LEFT JOIN LATERAL (
    SELECT a.counted_at FROM consumption_allocations a
    WHERE a.bucket_id = s.bucket_id AND a.counted_at > p_at ORDER BY a.counted_at LIMIT 1
  ) n ON true
  LEFT JOIN LATERAL (
    SELECT a.counted_at FROM consumption_allocations a
    WHERE a.bucket_id = s.bucket_id AND a.counted_at > s.rolling_since AND a.included_quantity + a.overage_quantity + a.excess_quantity < 0
    ORDER BY a.counted_at LIMIT 1
  ) b ON true
  WHERE s.limit_kind_code = p_kind AND s.rolling_since IS NOT NULL;
END $$;
COMMENT ON FUNCTION fn_rolling_moves IS
'When a use dated ahead next comes into a rolling window or what was given back leaves it, and when the oldest use next leaves it.';
