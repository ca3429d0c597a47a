CREATE OR REPLACE FUNCTION fn_limits(
  p_states entitlement_state[], p_rules control_rules[], p_account_id uuid, p_resource text, p_at timestamptz
) RETURNS limit_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_limits limit_state[];
  v_limit limit_state;
  v_state entitlement_state;
  v_kind text;
  v_used numeric;
  v_over numeric;
  v_overage numeric;
  v_window_end timestamptz;
  v_shown_end timestamptz;
  v_narrows_at timestamptz;
  v_rolling boolean;
  v_plan_ids text[];
  v_rule control_rules;
  v_exceeded_at timestamptz;
BEGIN
  FOREACH v_kind IN ARRAY fn_covered_kinds(p_states) LOOP
    v_limit := ROW(v_kind, 0, 0, 0, 0, NULL, NULL, NULL, 'block', NULL, 1, 'deny', 0, false, 0, NULL, NULL, 0, NULL, NULL);
    v_over := 0;
    v_overage := 0;
    v_shown_end := NULL;
    v_narrows_at := 'infinity';
    v_rolling := false;
    v_plan_ids := '{}';
    FOREACH v_state IN ARRAY p_states LOOP
      CONTINUE WHEN v_state.limit_kind_code <> v_kind;
      v_used := greatest(v_state.used, 0);
      v_over := v_over + greatest(v_used + v_state.held - v_state.quantity_limit, 0);
      v_overage := v_overage + v_state.overage;
      CONTINUE WHEN NOT v_state.covers;
      v_limit.quantity_limit := v_limit.quantity_limit + v_state.quantity_limit;
      v_limit.used := v_limit.used + v_used;
      v_limit.held := v_limit.held + v_state.held;
      v_limit.headroom := v_limit.headroom + greatest(v_state.quantity_limit - v_used - v_state.held, 0);
      IF v_state.plan_id IS NOT NULL THEN
        v_plan_ids := v_plan_ids || v_state.plan_id;
      END IF;
      -- Of several windows an answer shows the one that resets first; of those that never do, the first in draw order.
      v_window_end := CASE WHEN v_state.window_class IN ('calendar', 'anchored') THEN v_state.window_end
        WHEN v_state.window_class = 'none' THEN v_state.effective_end ELSE 'infinity' END;
      v_narrows_at := least(v_narrows_at, v_window_end, v_state.effective_end);
      IF v_shown_end IS NULL OR v_window_end < v_shown_end THEN
        v_shown_end := v_window_end;
        v_limit.window_type_code := v_state.window_type_code;
        v_limit.window_start := coalesce(v_state.rolling_since, v_state.window_start);
      END IF;
      v_rolling := v_rolling OR v_state.rolling_since IS NOT NULL;
    END LOOP;
    v_limit.window_end := v_shown_end;
    v_limit.over := v_over;

    FOREACH v_rule IN ARRAY coalesce(p_rules, '{}') LOOP
      CONTINUE WHEN v_rule.limit_kind_code <> v_kind OR NOT (v_rule.plan_id IS NULL OR v_rule.plan_id = ANY (v_plan_ids));
      v_limit.action := v_rule.limit_action_code;
      v_limit.warn_at_percent := v_rule.warn_at_percent;
      v_limit.overage_multiplier := coalesce(v_rule.overage_multiplier, 1);
      v_limit.on_error := v_rule.on_error;
      v_limit.overage_left := CASE WHEN v_rule.overage_cap IS NULL THEN 'Infinity' ELSE greatest(v_rule.overage_cap - v_overage, 0) END;
      IF v_limit.action = 'grace' THEN
        IF v_rule.grace_seconds IS NOT NULL THEN
          v_exceeded_at := fn_grace_clock(p_account_id, p_resource, v_kind, p_states, v_over > 0, p_at);
        END IF;
        v_limit.grace_seconds := v_rule.grace_seconds;
        v_limit.grace_until := v_exceeded_at + make_interval(secs => v_rule.grace_seconds);
        v_limit.grace_open := CASE WHEN v_rule.grace_seconds IS NULL THEN true
          WHEN v_exceeded_at IS NULL THEN v_rule.grace_seconds > 0 ELSE p_at < v_limit.grace_until END;
        v_limit.grace_left := CASE WHEN v_rule.grace_percent IS NULL OR v_limit.quantity_limit = 'Infinity' THEN 'Infinity'
          ELSE greatest(trunc(v_limit.quantity_limit * v_rule.grace_percent / 100 - v_over, 6), 0) END;
        v_narrows_at := least(v_narrows_at, CASE WHEN v_limit.grace_until > p_at THEN v_limit.grace_until END);
      END IF;
      EXIT;
    END LOOP;
    IF v_rolling THEN
      SELECT least(v_narrows_at, m.entering_at), m.leaving_at INTO v_narrows_at, v_limit.widens_at FROM fn_rolling_moves(p_states, v_kind, p_at) m;
    END IF;
    v_limit.narrows_at := nullif(v_narrows_at, 'infinity');
    v_limits := v_limits || v_limit;
  END LOOP;
  RETURN v_limits;
END $$;
COMMENT ON FUNCTION fn_limits IS
'Adds up the entitlements that cover the scope, kind by kind in decision order, with the first of fn_rules that concerns it and the grace clock; cap and grace count over all scopes. Unlimited sums are ''Infinity''. Without a rule: block, no warning, on_error deny. Null: no kind is in force.';
