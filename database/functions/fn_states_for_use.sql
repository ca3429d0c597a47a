CREATE OR REPLACE FUNCTION fn_states_for_use(
  p_account_id uuid, p_resource text, p_scope text, p_timezone text, p_now timestamptz,
  INOUT counted_at timestamptz, OUT states entitlement_state[]
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_now entitlement_state[];
BEGIN
  states := fn_entitlement_states(p_account_id, p_resource, p_scope, p_timezone, p_now, counted_at, false);
  -- A client's clock runs a little behind the grant it uses; what nothing covered then counts now, with what covers it now.
  IF counted_at < p_now AND fn_draw_kind(states) IS NULL THEN
    v_now := fn_entitlement_states(p_account_id, p_resource, p_scope, p_timezone, p_now, p_now, false);
    IF fn_draw_kind(v_now) IS NOT NULL THEN
      states := v_now;
      counted_at := p_now;
    END IF;
  END IF;
END $$;
COMMENT ON FUNCTION fn_states_for_use IS
'The entitlements that a use which counts at counted_at draws on: those in force then, or if nothing covered it, those in force now; counted_at becomes now with them, so that every sum over time agrees with the counters.';
