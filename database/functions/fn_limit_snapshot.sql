CREATE OR REPLACE FUNCTION fn_limit_snapshot(p_limit limit_state, p_suspended boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN jsonb_build_object(
    'limit_kind', p_limit.limit_kind_code,
    'limit', fn_millionths(p_limit.quantity_limit), 'used', fn_millionths(p_limit.used), 'held', fn_millionths(p_limit.held),
    'remaining', fn_millionths(p_limit.headroom),
    'window', fn_window_json(p_limit.window_type_code, p_limit.window_start, p_limit.window_end),
    'action', p_limit.action, 'warn_at_percent', fn_number(p_limit.warn_at_percent),
    'overage_multiplier', fn_number(p_limit.overage_multiplier),
    'grace', CASE WHEN p_limit.action = 'grace' THEN jsonb_build_object(
      'quantity_left', fn_millionths(fn_over_permitted(p_limit)),
      'until', fn_rfc3339(p_limit.grace_until)) END,
    'on_error', p_limit.on_error,
    'bands', CASE WHEN p_suspended THEN jsonb_build_array(fn_band('Infinity', 'block', 'account_suspended')) ELSE fn_bands(p_limit) END);
END $$;
COMMENT ON FUNCTION fn_limit_snapshot IS 'One limit kind as a snapshot holds it (database/README.md).';
