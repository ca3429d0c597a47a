CREATE OR REPLACE FUNCTION fn_entitlement_json(p_entitlement entitlements, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'entitlement_id', p_entitlement.entitlement_id, 'account_id', p_account, 'resource', p_entitlement.resource_type_code,
    'scope', p_entitlement.resource_scope, 'limit_kind', p_entitlement.limit_kind_code, 'quantity', fn_number(p_entitlement.quantity_allowed),
    'unit', p_entitlement.unit_code, 'window', p_entitlement.window_type_code, 'priority', p_entitlement.priority,
    'rollover_max_quantity', fn_number(p_entitlement.rollover_max_quantity), 'rollover_percent', fn_number(p_entitlement.rollover_percent),
    'effective_start', fn_rfc3339(p_entitlement.effective_start), 'effective_end', fn_rfc3339(p_entitlement.effective_end),
    'status', CASE WHEN p_entitlement.revoked_at <= p_now THEN 'revoked'
                   WHEN p_entitlement.effective_end <= p_now THEN 'expired'
                   WHEN p_entitlement.effective_start > p_now THEN 'scheduled' ELSE 'active' END,
    'source', jsonb_build_object('type', p_entitlement.source_type, 'plan_id', p_entitlement.plan_id,
      'plan_version', p_entitlement.plan_version, 'subscription_id', p_entitlement.subscription_id),
    'metadata', p_entitlement.metadata, 'created_at', fn_rfc3339(p_entitlement.created_at))
$$;
COMMENT ON FUNCTION fn_entitlement_json IS 'An entitlement as answers show it.';
