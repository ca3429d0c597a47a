CREATE OR REPLACE FUNCTION fn_plan_too_large(p_namespace_id text, p_plan_id text, p_plan_version int, p_quantity numeric) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM plan_entitlement_templates t
    CROSS JOIN LATERAL (VALUES (fn_multiplied(t.quantity_allowed, p_quantity)), (fn_multiplied(t.rollover_max_quantity, p_quantity))) m (quantity)
    WHERE t.namespace_id = p_namespace_id AND t.plan_id = p_plan_id AND t.plan_version = p_plan_version
      AND NOT fn_is_quantity(m.quantity))
$$;
COMMENT ON FUNCTION fn_plan_too_large IS
'Whether a plan version × a subscription''s quantity grants what is no quantity (fn_is_quantity).';
