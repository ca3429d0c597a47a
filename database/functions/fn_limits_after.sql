CREATE OR REPLACE FUNCTION fn_limits_after(p_limits limit_state[], p_states entitlement_state[], p_kind text, p_now timestamptz) RETURNS limit_state[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_limit limit_state;
  v_state entitlement_state;
BEGIN
  FOR i IN 1 .. cardinality(p_limits) LOOP
    CONTINUE WHEN p_limits[i].limit_kind_code <> p_kind;
    v_limit := p_limits[i];
    v_limit.used := 0;
    v_limit.held := 0;
    v_limit.headroom := 0;
    FOREACH v_state IN ARRAY p_states LOOP
      CONTINUE WHEN NOT v_state.covers OR v_state.limit_kind_code <> p_kind;
      v_limit.used := v_limit.used + greatest(v_state.used, 0);
      v_limit.held := v_limit.held + v_state.held;
      v_limit.headroom := v_limit.headroom + greatest(v_state.quantity_limit - greatest(v_state.used, 0) - v_state.held, 0);
    END LOOP;
    -- The use that crosses the limit starts the clock.
    IF v_limit.action = 'grace' AND v_limit.grace_until IS NULL AND v_limit.used + v_limit.held > v_limit.quantity_limit THEN
      v_limit.grace_until := p_now + make_interval(secs => v_limit.grace_seconds);
    END IF;
    p_limits[i] := v_limit;
  END LOOP;
  RETURN p_limits;
END $$;
COMMENT ON FUNCTION fn_limits_after IS 'The limits with the counts of one kind as they are after a write.';
