CREATE OR REPLACE FUNCTION fn_states_with_windows(
  p_states entitlement_state[], p_account_id uuid, p_resource text, p_timezone text, p_at timestamptz
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state entitlement_state;
  v_known entitlement_state;
BEGIN
  FOR i IN 1 .. cardinality(p_states) LOOP
    v_state := p_states[i];
    CONTINUE WHEN v_state.window_class IS NULL OR v_state.window_end IS NOT NULL;
    -- Entitlements of one plan share their windows: worked out once.
    IF v_known.window_type_code IS DISTINCT FROM v_state.window_type_code
      OR (v_state.window_class IN ('anchored', 'none') AND v_known.window_anchor <> v_state.window_anchor) THEN
      v_known := v_state;
      SELECT w.window_start, w.window_end INTO v_known.window_start, v_known.window_end
      FROM fn_window_next(p_account_id, p_resource, v_state.window_class, v_state.window_period, v_state.window_anchor, p_timezone, p_at) w;
    END IF;
    v_state.window_start := v_known.window_start;
    v_state.window_end := v_known.window_end;
    p_states[i] := v_state;
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_states_with_windows IS 'Fills in the windows that have no row yet: they are at zero, and begin with their first use.';
