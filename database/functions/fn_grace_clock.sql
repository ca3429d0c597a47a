CREATE OR REPLACE FUNCTION fn_grace_clock(
  p_account_id uuid, p_resource text, p_limit_kind text, p_states entitlement_state[], p_over boolean, p_at timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state entitlement_state;
  v_exceeded_at timestamptz;
  v_ends_at timestamptz;
  v_window_start timestamptz;
  v_window_end timestamptz;
  v_runs boolean;
  v_stands boolean;
  v_derived boolean;
BEGIN
  SELECT CASE p_limit_kind WHEN 'cumulative' THEN s.cumulative_exceeded_at
                           WHEN 'inventory' THEN s.inventory_exceeded_at
                           WHEN 'concurrency' THEN s.concurrency_exceeded_at END,
         CASE p_limit_kind WHEN 'cumulative' THEN s.cumulative_grace_end END
  INTO v_exceeded_at, v_ends_at
  FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
  IF v_exceeded_at IS NULL AND NOT p_over THEN
    RETURN NULL;
  ELSIF p_limit_kind <> 'cumulative' THEN
    RETURN CASE WHEN p_over AND v_exceeded_at <= p_at THEN v_exceeded_at END;
  END IF;
  FOREACH v_state IN ARRAY p_states LOOP
    IF v_state.limit_kind_code = 'cumulative' AND v_state.rolling_since IS NULL AND v_state.window_end < 'infinity' THEN
      v_window_start := greatest(v_window_start, v_state.window_start);
      v_window_end := least(v_window_end, v_state.window_end);
    END IF;
  END LOOP;
  v_runs := v_window_end IS NULL OR (p_at >= v_window_start AND p_at < v_window_end);
  v_stands := v_exceeded_at <= p_at AND CASE
    WHEN v_ends_at IS NULL THEN p_over AND v_window_end IS NULL
    WHEN v_runs THEN p_at < v_ends_at
    ELSE v_ends_at = v_window_end END;
  -- If the hold that set it is gone, whatever else went over counts.
  IF v_stands AND (v_ends_at IS NULL OR NOT EXISTS (
    SELECT FROM reservations r
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.reserved_at = v_exceeded_at
      AND r.limit_kind_code = 'cumulative' AND r.overage_quantity > 0 AND NOT fn_hold_counts(r, p_at)))
  THEN
    RETURN v_exceeded_at;
  END IF;
  v_derived := CASE
    WHEN v_window_end IS NOT NULL THEN v_stands OR p_over OR NOT v_runs OR p_at < v_exceeded_at
    -- A reversal or a later crossing has taken the clock of then away.
    ELSE p_over AND (p_at < v_exceeded_at OR EXISTS (
      SELECT FROM consumption_ledger l
      WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.entry_kind = 'reversal' AND l.recorded_at > p_at)) END;
  RETURN CASE WHEN v_derived THEN fn_exceeded_since(p_account_id, p_resource, p_states, v_window_start, v_window_end, p_at) END;
END $$;
COMMENT ON FUNCTION fn_grace_clock IS
'Since when the limit has been exceeded, as far as grace is concerned and as it was known at p_at; null: it has not. Of windows that end: in those of p_states, until they end. Elsewhere: since it was last crossed, while p_over. What resource_state holds is that of the last windows that had one while they ran; for others it is derived.';
