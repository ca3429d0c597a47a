CREATE OR REPLACE FUNCTION fn_plan_templates(p_namespace_id text, p_plan_id text, p_version int) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'resource', t.resource_type_code, 'scope', t.resource_scope, 'limit_kind', t.limit_kind_code, 'quantity', fn_number(t.quantity_allowed),
        'unit', t.unit_code, 'window', t.window_type_code, 'duration_days', t.duration_days, 'priority', t.priority,
        'rollover_max_quantity', fn_number(t.rollover_max_quantity), 'rollover_percent', fn_number(t.rollover_percent))
      ORDER BY t.resource_type_code, t.priority, t.limit_kind_code, t.resource_scope, t.window_type_code), '[]')
    FROM plan_entitlement_templates t
    WHERE t.namespace_id = p_namespace_id AND t.plan_id = p_plan_id AND t.plan_version = p_version
  );
END $$;
COMMENT ON FUNCTION fn_plan_templates IS 'What a plan version grants, as answers show it.';
