CREATE OR REPLACE FUNCTION fn_draw(INOUT items usage_item[], INOUT states entitlement_state[], p_limits limit_state[], OUT allocations usage_allocation[])
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_kind text;
  v_limit limit_state;
  v_over_permitted numeric;
  v_item usage_item;
  v_state entitlement_state;
  v_last int;
  v_left numeric;
  v_included numeric;
  v_overage numeric;
  v_excess numeric;
BEGIN
  allocations := '{}';
  FOREACH v_limit IN ARRAY coalesce(p_limits, '{}') LOOP
    -- Limits come in decision order: the first that a use can draw on.
    IF v_limit.limit_kind_code = ANY (fn_asked_kinds('consume')) THEN
      v_kind := v_limit.limit_kind_code;
      v_over_permitted := fn_over_permitted(v_limit);
      EXIT;
    END IF;
  END LOOP;
  FOR i IN 1 .. cardinality(states) LOOP
    IF states[i].covers AND states[i].limit_kind_code = v_kind THEN
      v_last := i;
    END IF;
  END LOOP;
  FOR n IN 1 .. cardinality(items) LOOP
    v_item := items[n];
    v_left := v_item.quantity;
    v_overage := 0;
    v_excess := CASE WHEN v_kind IS NULL THEN v_left ELSE 0 END;
    IF v_kind <> 'time_access' AND v_left > 0 THEN
      FOR i IN 1 .. v_last LOOP
        v_state := states[i];
        CONTINUE WHEN NOT v_state.covers OR v_state.limit_kind_code <> v_kind;
        v_included := least(v_left, greatest(v_state.quantity_limit - greatest(v_state.used, 0) - v_state.held, 0));
        v_left := v_left - v_included;
        IF i = v_last AND v_left > 0 THEN
          -- What is over goes to the last in draw order.
          v_overage := least(v_left, v_over_permitted);
          v_excess := v_left - v_overage;
          v_over_permitted := v_over_permitted - v_overage;
          v_left := 0;
        ELSIF v_included = 0 THEN
          CONTINUE;
        END IF;
        IF v_kind = 'cumulative' THEN
          allocations := allocations || ROW(v_item.n, v_item.entry_id, v_state.entitlement_id, v_state.bucket_id, v_state.window_start,
            v_state.window_end, v_item.counted_at, v_included, v_overage, v_excess,
            fn_billable(v_limit.action, v_state.quantity_limit = 'Infinity', v_included, v_overage),
            v_limit.overage_multiplier)::usage_allocation;
        END IF;
        v_state.used := v_state.used + v_included + v_overage + v_excess;
        v_state.overage := v_state.overage + v_overage;
        states[i] := v_state;
        EXIT WHEN v_left = 0;
      END LOOP;
    END IF;
    v_item.limit_kind_code := v_kind;
    v_item.included_quantity := v_item.quantity - v_overage - v_excess;
    v_item.overage_quantity := v_overage;
    v_item.excess_quantity := v_excess;
    items[n] := v_item;
  END LOOP;
END $$;
COMMENT ON FUNCTION fn_draw IS
'Draws uses on the entitlements that cover them: within the headroom in draw order (included), what is over on the last of them, as far as the rule permits (overage), the rest beyond permission (excess). Gives the states as they are afterwards. Stocks and time access have no counters and so no allocations.';
