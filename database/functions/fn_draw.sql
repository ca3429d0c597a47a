CREATE OR REPLACE FUNCTION fn_draw(INOUT items usage_item[], INOUT states entitlement_state[], p_limits limit_state[], OUT allocations usage_allocation[])
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_kind text := fn_draw_kind(states);
  v_limit limit_state;
  v_over_permitted numeric;
  v_item usage_item;
  v_drawn usage_allocation;
  v_left numeric;
  v_headroom numeric;
  v_last int;
BEGIN
  allocations := '{}';
  SELECT l.* INTO v_limit FROM unnest(p_limits) l WHERE l.limit_kind_code = v_kind;
  v_over_permitted := fn_over_permitted(v_limit);
  FOR i IN 1 .. cardinality(states) LOOP
    IF states[i].covers AND states[i].limit_kind_code = v_kind THEN
      v_last := i;
    END IF;
  END LOOP;
  FOR n IN 1 .. cardinality(items) LOOP
    v_item := items[n];
    v_item.limit_kind_code := v_kind;
    v_item.overage_quantity := 0;
    v_item.excess_quantity := 0;
    v_left := v_item.quantity;
    IF v_kind IS NULL THEN
      v_item.excess_quantity := v_left;
      v_left := 0;
    ELSIF v_kind <> 'time_access' AND v_left > 0 THEN
      FOR i IN 1 .. v_last LOOP
        CONTINUE WHEN NOT states[i].covers OR states[i].limit_kind_code <> v_kind;
        v_headroom := greatest(states[i].quantity_limit - greatest(states[i].used, 0) - states[i].held, 0);
        CONTINUE WHEN v_headroom = 0 AND i < v_last;
        v_drawn := ROW(v_item.n, v_item.entry_id, states[i].entitlement_id, states[i].bucket_id, states[i].window_start,
          states[i].window_end, v_item.counted_at, least(v_left, v_headroom), 0, 0, 0, v_limit.overage_multiplier);
        v_left := v_left - v_drawn.included_quantity;
        IF i = v_last AND v_left > 0 THEN
          -- What is over goes to the last in draw order.
          v_drawn.overage_quantity := least(v_left, v_over_permitted);
          v_drawn.excess_quantity := v_left - v_drawn.overage_quantity;
          v_over_permitted := v_over_permitted - v_drawn.overage_quantity;
          v_item.overage_quantity := v_drawn.overage_quantity;
          v_item.excess_quantity := v_drawn.excess_quantity;
          states[i].overage := states[i].overage + v_drawn.overage_quantity;
          v_left := 0;
        END IF;
        IF v_limit.action = 'overage' THEN
          -- Of an unlimited entitlement all that is used is billed: pay as you go.
          v_drawn.billable_quantity := v_drawn.overage_quantity
            + CASE WHEN states[i].quantity_limit = 'Infinity' THEN v_drawn.included_quantity ELSE 0 END;
        END IF;
        states[i].used := states[i].used + v_drawn.included_quantity + v_drawn.overage_quantity + v_drawn.excess_quantity;
        IF v_kind = 'cumulative' THEN
          allocations := allocations || v_drawn;
        END IF;
        EXIT WHEN v_left = 0;
      END LOOP;
    END IF;
    v_item.included_quantity := v_item.quantity - v_item.overage_quantity - v_item.excess_quantity;
    items[n] := v_item;
  END LOOP;
END $$;
COMMENT ON FUNCTION fn_draw IS
'Draws uses on the entitlements that cover them: within the headroom in draw order (included), what is over on the last of them, as far as the rule permits (overage), the rest beyond permission (excess). Gives the states as they are afterwards. Stocks and time access have no counters and so no allocations.';
