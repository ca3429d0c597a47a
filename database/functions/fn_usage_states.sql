CREATE OR REPLACE FUNCTION fn_usage_states(
  p_account_id uuid, p_resource text, p_scope text, p_timezone text, p_counted_at timestamptz, p_now timestamptz
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_states entitlement_state[] := fn_entitlement_states(p_account_id, p_resource, p_scope, p_timezone, p_now, p_counted_at, false);
BEGIN
  -- A client's clock runs a little behind the grant it uses; what nothing covered then counts with what covers it now.
  IF p_counted_at < p_now AND fn_draw_kind(v_states) IS NULL THEN
    v_states := fn_entitlement_states(p_account_id, p_resource, p_scope, p_timezone, p_now, p_now, false);
  END IF;
  RETURN v_states;
END $$;
COMMENT ON FUNCTION fn_usage_states IS
'The entitlements that a use which counts at p_counted_at draws on: those in force then, or if there was none, those in force now.';
