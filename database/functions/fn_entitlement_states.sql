CREATE OR REPLACE FUNCTION fn_entitlement_states(
  p_account_id uuid, p_resource text, p_scope text, p_timezone text, p_now timestamptz, p_at timestamptz, p_as_of boolean
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (fn_entitlement_view(p_account_id, p_resource, p_scope, p_timezone, p_now, p_at, p_as_of)).states;
END $$;
COMMENT ON FUNCTION fn_entitlement_states IS 'The states of fn_entitlement_view.';
