CREATE OR REPLACE FUNCTION fn_decision(
  p_limits limit_state[], p_verdicts limit_verdict[], p_suspended boolean, p_account_id uuid, p_resource text, p_scope text,
  p_quantity numeric, p_purpose text, p_at timestamptz
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_verdict limit_verdict;
  v_leads limit_verdict;
  v_limit limit_state;
  v_limits jsonb := '[]';
  v_worst int := 0;
  v_rank int;
BEGIN
  FOREACH v_verdict IN ARRAY p_verdicts LOOP
    v_limit := p_limits[v_verdict.n];
    v_limits := v_limits || jsonb_build_object(
      'limit_kind', v_limit.limit_kind_code, 'limit', fn_number(v_limit.quantity_limit), 'used', fn_number(v_limit.used),
      'held', fn_number(v_limit.held), 'remaining', fn_number(v_limit.headroom), 'outcome', v_verdict.outcome, 'reason', v_verdict.reason,
      'window', fn_window_json(v_limit.window_type_code, v_limit.window_start, v_limit.window_end));
    v_rank := array_position('{allow,warn,grace,overage,block}'::text[], v_verdict.outcome);
    IF v_rank > v_worst THEN
      v_worst := v_rank;
      v_leads := v_verdict;
    END IF;
  END LOOP;
  IF v_worst = 0 THEN
    RETURN jsonb_build_object(
      'allowed', false, 'outcome', 'block',
      'reason', CASE WHEN p_suspended THEN 'account_suspended'
        ELSE fn_absent_reasons(p_account_id, p_resource, p_scope, p_at) ->> p_purpose END,
      'resource', p_resource, 'scope', p_scope, 'quantity', fn_number(p_quantity),
      'limit', 0, 'used', 0, 'held', 0, 'remaining', 0, 'window', NULL, 'action', 'block', 'warn_at_percent', NULL,
      'overage', jsonb_build_object('quantity', 0, 'multiplier', 1), 'grace', NULL, 'limits', v_limits, 'as_of', fn_rfc3339(p_at));
  END IF;
  v_limit := p_limits[v_leads.n];
  -- What leads stands in the list already, rendered.
  FOR i IN 0 .. cardinality(p_verdicts) - 1 LOOP
    IF p_verdicts[i + 1].n = v_leads.n THEN
      RETURN (v_limits -> i) - 'limit_kind' || jsonb_build_object(
        'allowed', v_leads.outcome <> 'block',
        'resource', p_resource, 'scope', p_scope, 'quantity', fn_number(p_quantity),
        'action', v_limit.action, 'warn_at_percent', fn_number(v_limit.warn_at_percent),
        'overage', jsonb_build_object('quantity', fn_number(v_leads.over), 'multiplier', fn_number(v_limit.overage_multiplier)),
        'grace', CASE WHEN v_limit.action = 'grace' THEN jsonb_build_object(
          'quantity_left', fn_number(greatest(fn_over_permitted(v_limit) - v_leads.over, 0)),
          'until', fn_rfc3339(v_limit.grace_until)) END,
        'limits', v_limits, 'as_of', fn_rfc3339(p_at));
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION fn_decision IS
'A decision as answers show it: the verdicts, the worst of which leads (of equals the earlier), with the counts of p_limits.';
