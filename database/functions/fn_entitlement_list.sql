CREATE OR REPLACE FUNCTION fn_entitlement_list(p_account_id uuid, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(fn_entitlement_json(e, p_account, p_now) || jsonb_build_object('state', jsonb_build_object(
        'limit', CASE WHEN s.entitlement_id IS NULL THEN 0 ELSE fn_number(s.quantity_limit) END,
        'used', fn_number(coalesce(greatest(s.used, 0), 0)), 'held', fn_number(coalesce(s.held, 0)),
        'remaining', CASE WHEN s.entitlement_id IS NULL THEN 0
          ELSE fn_number(greatest(s.quantity_limit - greatest(s.used, 0) - s.held, 0)) END,
        'overage_quantity', fn_number(coalesce(s.overage, 0)),
        'rollover_quantity', CASE WHEN e.rollover_limit IS NULL OR s.entitlement_id IS NULL THEN 0
          ELSE coalesce(fn_number(s.quantity_limit - e.limit_quantity), 0) END,
        'window', fn_window_json(s.window_type_code, coalesce(s.rolling_since, s.window_start),
          CASE WHEN s.rolling_since IS NOT NULL THEN NULL WHEN s.window_type_code = 'none' THEN s.effective_end ELSE s.window_end END),
        'resets_at', CASE WHEN s.rolling_since IS NULL THEN fn_rfc3339(s.window_end) END))
      ORDER BY e.resource_type_code, e.priority, e.created_at, e.entitlement_id), '[]')
    FROM (SELECT r.resource_type_code, fn_entitlement_states(p_account_id, r.resource_type_code, NULL, coalesce(a.timezone, 'UTC'), p_now, p_now, false) AS states
          FROM resource_state r LEFT JOIN accounts a USING (account_id) WHERE r.account_id = p_account_id) r
    JOIN entitlements e ON e.account_id = p_account_id AND e.resource_type_code = r.resource_type_code
    LEFT JOIN LATERAL (SELECT * FROM unnest(r.states) s WHERE s.entitlement_id = e.entitlement_id) s ON true
  );
END $$;
COMMENT ON FUNCTION fn_entitlement_list IS
'Every entitlement of an account, each with what was used of it; what is not in force has a state of zeros.';
