CREATE OR REPLACE FUNCTION fn_draw_held(
  INOUT item usage_item, p_reservation reservations, p_states entitlement_state[], p_limits limit_state[], OUT allocations usage_allocation[]
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_held numeric := least(item.quantity, p_reservation.quantity);
  v_beyond usage_item := item;
  v_drawn record;
  v_rule control_rules;
BEGIN
  -- What goes beyond the hold is drawn as metering would, on the kind that is held; the hold counts as spent.
  v_beyond.quantity := item.quantity - v_held;
  v_drawn := fn_draw(ARRAY[v_beyond], p_states,
    ARRAY(SELECT l FROM unnest(p_limits) l WHERE l.limit_kind_code = p_reservation.limit_kind_code));
  v_beyond := v_drawn.items[1];
  item.limit_kind_code := p_reservation.limit_kind_code;
  item.included_quantity := least(v_held, p_reservation.quantity - p_reservation.overage_quantity) + v_beyond.included_quantity;
  item.excess_quantity := v_beyond.excess_quantity;
  item.overage_quantity := item.quantity - item.included_quantity - item.excess_quantity;
  SELECT r.* INTO v_rule FROM unnest(fn_rules(p_reservation.namespace_id, p_reservation.account_id, p_reservation.resource_type_code, ARRAY(
    SELECT e.plan_id FROM reservation_allocations a JOIN entitlements e USING (entitlement_id)
    WHERE a.reservation_id = p_reservation.reservation_id AND a.held_until = 'infinity' AND e.plan_id IS NOT NULL
    UNION
    SELECT s.plan_id FROM unnest(p_states) s WHERE s.covers AND s.limit_kind_code = item.limit_kind_code AND s.plan_id IS NOT NULL
  ))) r WHERE r.limit_kind_code = item.limit_kind_code LIMIT 1;
  allocations := ARRAY(
    SELECT ROW(item.n, item.entry_id, d.entitlement_id, d.bucket_id, min(d.window_start), d.window_end, item.counted_at,
      sum(d.included), sum(d.overage), sum(d.excess),
      sum(fn_billable(v_rule.limit_action_code, d.unlimited, d.included, d.overage)), coalesce(v_rule.overage_multiplier, 1))::usage_allocation
    FROM (
      SELECT h.draw_order, h.entitlement_id, h.bucket_id, h.window_start, h.window_end, e.limit_quantity IS NULL AS unlimited,
        least(h.included_quantity, greatest(v_held - h.before, 0)) AS included,
        least(h.overage_quantity, greatest(v_held - h.before - h.included_quantity, 0)) AS overage,
        -- Where nothing covers it any more, what goes beyond is on the last that was held.
        CASE WHEN h.is_last AND v_beyond.limit_kind_code IS NULL THEN v_beyond.excess_quantity ELSE 0 END AS excess
      FROM (
        SELECT a.*, lead(a.draw_order) OVER w IS NULL AS is_last,
          sum(a.included_quantity + a.overage_quantity) OVER w - a.included_quantity - a.overage_quantity AS before
        FROM reservation_allocations a
        WHERE a.reservation_id = p_reservation.reservation_id AND a.held_until = 'infinity' WINDOW w AS (ORDER BY a.draw_order)
      ) h
      JOIN entitlements e USING (entitlement_id)
      UNION ALL
      SELECT 1000000 + b.ordinality, b.entitlement_id, b.bucket_id, b.window_start, b.window_end, e.limit_quantity IS NULL,
        b.included_quantity, b.overage_quantity, b.excess_quantity
      FROM unnest(v_drawn.allocations) WITH ORDINALITY b JOIN entitlements e USING (entitlement_id)
    ) d
    WHERE d.included + d.overage + d.excess > 0
    GROUP BY d.entitlement_id, d.bucket_id, d.window_end ORDER BY min(d.draw_order)
  );
END $$;
COMMENT ON FUNCTION fn_draw_held IS
'Draws the use that a reservation, locked by the caller, is committed for: on what it held, in draw order, whatever has become of it; what goes beyond as metering would. Billed by the rule as of now. p_states and p_limits: with the hold, at the time at which the use counts.';
