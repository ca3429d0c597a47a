CREATE OR REPLACE FUNCTION fn_states_with_holds(
  p_states entitlement_state[], p_account_id uuid, p_resource text, p_now timestamptz, p_at timestamptz, p_as_of boolean
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_held record;
BEGIN
  FOR v_held IN
    SELECT a.bucket_id, a.window_end, sum(a.included_quantity + a.overage_quantity) AS quantity, sum(a.overage_quantity) AS overage
    FROM fn_live_holds(p_account_id, p_resource, p_now, p_at, p_as_of) r JOIN reservation_allocations a USING (reservation_id)
    WHERE CASE WHEN p_as_of THEN p_at >= a.held_from AND p_at < a.held_until ELSE a.held_until = 'infinity' END
    GROUP BY a.bucket_id, a.window_end
  LOOP
    FOR i IN 1 .. cardinality(p_states) LOOP
      IF p_states[i].bucket_id = v_held.bucket_id AND (p_states[i].rolling_since IS NOT NULL OR p_states[i].window_end = v_held.window_end) THEN
        p_states[i].held := p_states[i].held + v_held.quantity;
        p_states[i].overage := p_states[i].overage + v_held.overage;
      END IF;
    END LOOP;
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_states_with_holds IS 'Adds what live reservations hold of each window: the sum of their allocations, never stored.';
