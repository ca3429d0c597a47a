CREATE OR REPLACE FUNCTION fn_limit_states(
  p_states entitlement_state[], p_namespace_id text, p_account_id uuid, p_resource text, p_at timestamptz
) RETURNS limit_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_limits limit_state[];
  v_kind text;
  v_sums record;
  v_shown entitlement_state;
  v_rule control_rules;
  v_exceeded_at timestamptz;
  v_grace_until timestamptz;
  v_entering_at timestamptz;
  v_leaving_at timestamptz;
BEGIN
  FOREACH v_kind IN ARRAY fn_covered_kinds(p_states) LOOP
    SELECT
      sum(s.quantity_limit) FILTER (WHERE s.covers) AS quantity_limit,
      sum(greatest(s.used, 0)) FILTER (WHERE s.covers) AS used,
      sum(s.held) FILTER (WHERE s.covers) AS held,
      sum(greatest(s.quantity_limit - greatest(s.used, 0) - s.held, 0)) FILTER (WHERE s.covers) AS headroom,
      array_agg(s.plan_id) FILTER (WHERE s.covers AND s.plan_id IS NOT NULL) AS plan_ids,
      sum(greatest(greatest(s.used, 0) + s.held - s.quantity_limit, 0)) AS over,
      sum(s.overage) AS overage,
      min(s.window_end) FILTER (WHERE s.rolling_since IS NULL) AS resets_at,
      min(s.effective_end) FILTER (WHERE s.covers) AS ends_at,
      min(s.rolling_since) AS rolling_since
    INTO v_sums
    FROM unnest(p_states) s WHERE s.limit_kind_code = v_kind;

    SELECT * INTO v_rule FROM fn_control_rule(p_namespace_id, p_account_id, p_resource, v_kind, v_sums.plan_ids);

    v_shown := fn_shown_state(p_states, v_kind);
    v_exceeded_at := NULL;
    IF v_rule.limit_action_code = 'grace' THEN
      SELECT g.exceeded_at INTO v_exceeded_at FROM fn_grace_clock(p_account_id, p_resource, v_kind, v_sums.over, p_at) g;
    END IF;
    v_grace_until := v_exceeded_at + make_interval(secs => v_rule.grace_seconds);

    v_entering_at := NULL;
    v_leaving_at := NULL;
    IF v_sums.rolling_since IS NOT NULL THEN
      SELECT m.entering_at, m.leaving_at INTO v_entering_at, v_leaving_at FROM fn_rolling_moves(p_states, v_kind, p_at) m;
    END IF;

    v_limits := v_limits || ROW(
      v_kind, v_sums.quantity_limit, v_sums.used, v_sums.held, v_sums.headroom,
      v_shown.window_type_code, v_shown.window_start, v_shown.window_end,
      coalesce(v_rule.limit_action_code, 'block'), v_rule.warn_at_percent, coalesce(v_rule.overage_multiplier, 1), coalesce(v_rule.on_error, 'deny'),
      CASE WHEN v_rule.overage_cap IS NULL THEN 'Infinity' ELSE greatest(v_rule.overage_cap - v_sums.overage, 0) END,
      CASE WHEN v_rule.grace_seconds IS NULL THEN true
           WHEN v_exceeded_at IS NULL THEN v_rule.grace_seconds > 0
           ELSE p_at < v_grace_until END,
      CASE WHEN v_rule.grace_percent IS NULL OR v_sums.quantity_limit = 'Infinity' THEN 'Infinity'
           ELSE greatest(v_sums.quantity_limit * v_rule.grace_percent / 100 - v_sums.over, 0) END,
      v_grace_until, v_rule.grace_seconds, v_sums.over,
      nullif(least(v_sums.ends_at, v_sums.resets_at, v_entering_at, CASE WHEN v_grace_until > p_at THEN v_grace_until END), 'infinity'),
      v_leaving_at)::limit_state;
  END LOOP;
  RETURN v_limits;
END $$;
COMMENT ON FUNCTION fn_limit_states IS
'Adds up the entitlements that cover the scope, kind by kind in decision order, with the rule and the grace clock; cap and grace count over all scopes. Unlimited sums are ''Infinity''. Null: no kind is in force.';
