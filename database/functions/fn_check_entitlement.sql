CREATE OR REPLACE FUNCTION fn_check_entitlement(
  p_account_id uuid, p_resource_type_code text, p_resource_scope text DEFAULT NULL, p_quantity numeric DEFAULT 1
) RETURNS TABLE (
  allowed boolean, outcome text, reason text, limit_kind_code text, quantity_limit numeric, used numeric, held numeric, remaining numeric,
  window_start timestamptz, window_end timestamptz, limit_action_code text, overage_quantity numeric, decision jsonb
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_account_namespace(p_account_id);
  v_decision jsonb;
BEGIN
  IF p_quantity < 0 OR fn_is_quantity(trim_scale(p_quantity)) IS NOT TRUE THEN
    PERFORM fn_fail(400, 'invalid_parameter',
      'quantity must be 0 or more, below 10^15 and have at most 15 significant digits and 6 decimals', 'quantity');
  END IF;
  PERFORM fn_require_scope(p_resource_scope);
  PERFORM fn_resource_type(v_namespace.namespace_id, p_resource_type_code);
  v_decision := fn_decide(v_namespace, p_account_id, p_resource_type_code, p_resource_scope,
    fn_now(v_namespace.namespace_id, statement_timestamp()), NULL, p_quantity, 'any');
  RETURN QUERY SELECT
    (v_decision ->> 'allowed')::boolean, v_decision ->> 'outcome', v_decision ->> 'reason',
    (SELECT l ->> 'limit_kind' FROM jsonb_array_elements(v_decision -> 'limits') l WHERE l -> 'outcome' = v_decision -> 'outcome' LIMIT 1),
    (v_decision ->> 'limit')::numeric, (v_decision ->> 'used')::numeric, (v_decision ->> 'held')::numeric, (v_decision ->> 'remaining')::numeric,
    (v_decision -> 'window' ->> 'start')::timestamptz, (v_decision -> 'window' ->> 'end')::timestamptz,
    v_decision ->> 'action', (v_decision -> 'overage' ->> 'quantity')::numeric, v_decision;
END $$;
COMMENT ON FUNCTION fn_check_entitlement IS
'May this account do this now? Changes nothing. quantity_limit and remaining are null for unlimited; decision is the whole of it, as POST /v1/check shows it. ME400 unknown_resource, invalid_parameter.';
