CREATE OR REPLACE FUNCTION fn_states_credited(p_states entitlement_state[], p_allocations usage_allocation[], p_now timestamptz) RETURNS entitlement_state[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_state entitlement_state;
  v_allocation usage_allocation;
BEGIN
  FOR i IN 1 .. cardinality(p_states) LOOP
    v_state := p_states[i];
    FOREACH v_allocation IN ARRAY p_allocations LOOP
      CONTINUE WHEN v_allocation.bucket_id <> v_state.bucket_id
        OR CASE WHEN v_state.rolling_since IS NULL THEN v_allocation.window_end <> v_state.window_end
          ELSE v_allocation.counted_at <= v_state.rolling_since OR v_allocation.counted_at > p_now END;
      v_state.used := v_state.used + v_allocation.included_quantity + v_allocation.overage_quantity + v_allocation.excess_quantity;
      v_state.overage := v_state.overage + v_allocation.overage_quantity;
    END LOOP;
    p_states[i] := v_state;
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_states_credited IS 'The states of cumulative entitlements after a reversal: what it gave back counts in the windows that they show.';
