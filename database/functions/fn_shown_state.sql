CREATE OR REPLACE FUNCTION fn_shown_state(p_states entitlement_state[], p_kind text) RETURNS entitlement_state
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_state entitlement_state;
  v_shown entitlement_state;
BEGIN
  FOREACH v_state IN ARRAY p_states LOOP
    CONTINUE WHEN NOT v_state.covers OR v_state.limit_kind_code <> p_kind;
    IF v_state.rolling_since IS NOT NULL THEN
      v_state.window_start := v_state.rolling_since;
      v_state.window_end := 'infinity';
    ELSIF v_state.window_type_code = 'none' THEN
      v_state.window_end := v_state.effective_end;
    END IF;
    IF v_shown.entitlement_id IS NULL OR v_state.window_end < v_shown.window_end THEN
      v_shown := v_state;
    END IF;
  END LOOP;
  RETURN v_shown;
END $$;
COMMENT ON FUNCTION fn_shown_state IS
'Of the covering entitlements of a kind the one whose window an answer shows: that which resets first; among those that never do, the first in draw order. Its window is the one to show.';
