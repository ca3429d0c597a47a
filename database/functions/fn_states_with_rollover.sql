CREATE OR REPLACE FUNCTION fn_states_with_rollover(
  p_states entitlement_state[], p_account_id uuid, p_resource text, p_timezone text, p_now timestamptz, p_at timestamptz, p_as_of boolean
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  FOR i IN 1 .. cardinality(p_states) LOOP
    CONTINUE WHEN p_states[i].window_class IS NULL OR p_states[i].window_class NOT IN ('calendar', 'anchored')
      OR NOT EXISTS (SELECT FROM entitlements e WHERE e.entitlement_id = p_states[i].entitlement_id AND e.rollover_limit IS NOT NULL);
    p_states[i].quantity_limit := p_states[i].quantity_limit
      + fn_rollover(p_states[i], p_account_id, p_resource, p_timezone, p_now, p_at, p_as_of);
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_states_with_rollover IS
'Adds to the limits what the window before left unused, of the entitlements that have rollover.';
