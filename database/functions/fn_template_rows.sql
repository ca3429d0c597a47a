CREATE OR REPLACE FUNCTION fn_template_rows(p_plan plans, p_version int, p_template jsonb) RETURNS SETOF plan_entitlement_templates
LANGUAGE sql VOLATILE ROWS 1 AS $$
  SELECT gen_random_uuid(), p_plan.plan_id, p_template ->> 'resource', p_template ->> 'scope', p_template ->> 'limit_kind',
    (p_template ->> 'quantity')::numeric, p_template ->> 'unit',
    CASE WHEN p_template ->> 'limit_kind' = 'cumulative' THEN coalesce(p_template ->> 'window', 'none') END,
    (p_template ->> 'duration_days')::int, coalesce((p_template ->> 'priority')::int, 100), p_plan.namespace_id, p_version,
    (p_template ->> 'rollover_max_quantity')::numeric, (p_template ->> 'rollover_percent')::numeric
$$;
COMMENT ON FUNCTION fn_template_rows IS 'The template row that a request describes.';
