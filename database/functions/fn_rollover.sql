CREATE OR REPLACE FUNCTION fn_rollover(
  p_state entitlement_state, p_account_id uuid, p_resource text, p_timezone text, p_now timestamptz, p_at timestamptz, p_as_of boolean
) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_previous_start timestamptz;
  v_previous_end timestamptz;
  v_terms record;
  v_used numeric;
BEGIN
  SELECT b.window_start INTO v_previous_start
  FROM fn_window_bounds(p_state.window_class, p_state.window_period, p_state.window_anchor, p_timezone,
    p_state.window_start - interval '1 microsecond') b;
  -- What the last of the bucket's entitlements granted when that window ended.
  SELECT CASE WHEN t.entitlement_id IS NULL THEN e.limit_quantity ELSE t.limit_quantity END AS limit_quantity,
         CASE WHEN t.entitlement_id IS NULL THEN e.rollover_limit ELSE t.rollover_limit END AS rollover_limit,
         coalesce(CASE WHEN t.entitlement_id IS NULL THEN e.rollover_percent ELSE t.rollover_percent END, 100) AS rollover_percent
  INTO v_terms
  FROM entitlements e
  LEFT JOIN LATERAL (
    SELECT * FROM entitlement_terms t
    WHERE t.entitlement_id = e.entitlement_id AND t.valid_until >= p_state.window_start ORDER BY t.valid_until LIMIT 1
  ) t ON true
  WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource AND e.bucket_id = p_state.bucket_id
    AND e.effective_start < p_state.window_start AND coalesce(least(e.effective_end, e.revoked_at), 'infinity') > greatest(v_previous_start, e.effective_start)
  ORDER BY e.effective_start DESC, e.created_at DESC, e.entitlement_id DESC LIMIT 1;
  IF v_terms.limit_quantity IS NULL OR v_terms.rollover_limit IS NULL THEN
    RETURN 0;
  END IF;
  -- A window that was begun in another timezone may have ended a little before this one's start.
  SELECT w.window_end, w.used INTO v_previous_end, v_used FROM entitlement_windows w
  WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource AND w.bucket_id = p_state.bucket_id
    AND w.window_end <= p_state.window_start AND w.window_end > p_state.window_start - (p_state.window_start - v_previous_start) / 2
  ORDER BY w.window_end DESC LIMIT 1;
  v_used := coalesce(v_used, 0);
  IF p_as_of THEN
    -- What was given back after p_at was still used then.
    v_used := v_used - coalesce((
      SELECT sum(a.included_quantity + a.overage_quantity + a.excess_quantity)
      FROM consumption_ledger l JOIN consumption_allocations a USING (entry_id)
      WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.entry_kind = 'reversal' AND l.recorded_at > p_at
        AND a.bucket_id = p_state.bucket_id AND a.window_end = v_previous_end), 0);
  END IF;
  -- What is held there counts as spent: its commit must not take back what was rolled over.
  v_used := greatest(v_used, 0) + coalesce((
    SELECT sum(a.included_quantity + a.overage_quantity)
    FROM reservations r JOIN reservation_allocations a USING (reservation_id)
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND a.bucket_id = p_state.bucket_id
      AND a.window_end <= p_state.window_start AND a.window_end > p_state.window_start - (p_state.window_start - v_previous_start) / 2
      AND CASE WHEN p_as_of
        THEN r.reserved_at <= p_at AND r.expires_at > p_at AND (r.ended_at IS NULL OR r.ended_at > p_at) AND p_at >= a.held_from AND p_at < a.held_until
        ELSE r.ended_at IS NULL AND r.expires_at > p_now AND a.held_until = 'infinity' END), 0);
  RETURN least(v_terms.rollover_limit, trunc(greatest(v_terms.limit_quantity - v_used, 0) * v_terms.rollover_percent / 100, 6));
END $$;
COMMENT ON FUNCTION fn_rollover IS
'How much of what the window before left unused is added to the limit of a state''s window: the percentage of it, rounded down to 6 decimals, at most the maximum, by the terms that held when that window ended. Only from that one window, and only of its own limit: what had been rolled into it is used last and lapses, so nothing rolls twice. 0 when the bucket had no entitlement in force in it, or an unlimited one. Once it is closed nothing can change it.';
