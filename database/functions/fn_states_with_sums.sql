CREATE OR REPLACE FUNCTION fn_states_with_sums(
  p_states entitlement_state[], p_account_id uuid, p_resource text, p_edge timestamptz, p_as_of boolean
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state entitlement_state;
BEGIN
  FOR i IN 1 .. cardinality(p_states) LOOP
    v_state := p_states[i];
    CONTINUE WHEN v_state.window_class IS NULL OR (v_state.rolling_since IS NULL AND NOT p_as_of);
    SELECT u.quantity, greatest(u.overage, 0) INTO v_state.used, v_state.overage
    FROM fn_bucket_usage_at(p_account_id, p_resource, v_state.bucket_id,
      -- A window's start is inclusive, that of a rolling one is not.
      coalesce(v_state.rolling_since, v_state.window_start - interval '1 microsecond'), p_edge, p_as_of) u;
    -- What was carried into a rolling window leaves it with the month that bills it.
    v_state.used := v_state.used + coalesce((
      SELECT w.carried FROM entitlement_windows w
      WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
        AND w.window_end = v_state.window_end AND w.bucket_id = v_state.bucket_id
    ), 0);
    p_states[i] := v_state;
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_states_with_sums IS
'Sums up the use of rolling windows, and with p_as_of of every window, up to p_edge: exact to the event.';
