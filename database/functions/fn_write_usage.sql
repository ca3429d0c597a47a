CREATE OR REPLACE FUNCTION fn_write_usage(
  p_namespace_id text, p_account_id uuid, p_resource text, p_kind text, p_items usage_item[], p_allocations usage_allocation[], p_now timestamptz
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_none CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
  v_sum record;
  v_slot int;
BEGIN
  INSERT INTO consumption_ledger (entry_id, namespace_id, account_id, resource_type_code, resource_scope, entry_kind, limit_kind_code,
    idempotency_key, quantity, unit_code, original_quantity, original_unit_code, occurred_at, recorded_at, counted_at, is_late,
    included_quantity, overage_quantity, excess_quantity, details_hash)
  SELECT i.entry_id, p_namespace_id, p_account_id, p_resource, i.resource_scope, p_kind, i.limit_kind_code,
    i.idempotency_key, i.quantity, i.unit_code, i.original_quantity, i.original_unit_code, i.occurred_at, p_now, i.counted_at, i.is_late,
    i.included_quantity, i.overage_quantity, i.excess_quantity,
    CASE WHEN i.metadata <> '{}' THEN fn_store_details(i.entry_id, i.metadata) END
  FROM unnest(p_items) i;

  IF cardinality(p_allocations) > 0 THEN
    INSERT INTO consumption_allocations (entry_id, entitlement_id, account_id, resource_type_code, bucket_id, window_start, window_end,
      counted_at, included_quantity, overage_quantity, excess_quantity, billable_quantity, overage_multiplier)
    SELECT a.entry_id, a.entitlement_id, p_account_id, p_resource, a.bucket_id, a.window_start, a.window_end,
      a.counted_at, a.included_quantity, a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier
    FROM unnest(p_allocations) a;

    INSERT INTO entitlement_windows AS w (account_id, resource_type_code, window_end, bucket_id, window_start, used,
      included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount)
    SELECT p_account_id, p_resource, a.window_end, a.bucket_id, min(a.window_start),
      sum(a.included_quantity + a.overage_quantity + a.excess_quantity),
      sum(a.included_quantity), sum(a.overage_quantity), sum(a.excess_quantity),
      sum(a.billable_quantity), sum(a.billable_quantity * a.overage_multiplier)
    FROM unnest(p_allocations) a
    GROUP BY a.bucket_id, a.window_end
    ON CONFLICT (account_id, resource_type_code, window_end, bucket_id) DO UPDATE SET
      used = w.used + excluded.used,
      included_quantity = w.included_quantity + excluded.included_quantity,
      overage_quantity = w.overage_quantity + excluded.overage_quantity,
      excess_quantity = w.excess_quantity + excluded.excess_quantity,
      billable_quantity = w.billable_quantity + excluded.billable_quantity,
      billable_amount = w.billable_amount + excluded.billable_amount;
  END IF;

  FOR v_sum IN
    SELECT d.bucket_id, (date_bin('15 minutes', d.counted_at, 'epoch') AT TIME ZONE 'UTC') AS quarter, sum(d.quantity) AS quantity, sum(d.overage) AS overage
    FROM (
      SELECT a.bucket_id, a.counted_at, a.included_quantity + a.overage_quantity + a.excess_quantity AS quantity, a.overage_quantity AS overage
      FROM unnest(p_allocations) a
      UNION ALL
      SELECT v_none, i.counted_at, i.quantity, i.overage_quantity
      FROM unnest(p_items) i WHERE i.limit_kind_code IS DISTINCT FROM 'cumulative'
    ) d
    GROUP BY 1, 2 ORDER BY 1, 2
  LOOP
    v_slot := 1 + extract(epoch FROM v_sum.quarter - date_trunc('day', v_sum.quarter))::int / 900;
    INSERT INTO usage_rollups AS r (account_id, resource_type_code, bucket_id, day, quantity, overage_quantity, quarters, overage_quarters)
    VALUES (p_account_id, p_resource, v_sum.bucket_id, v_sum.quarter::date, v_sum.quantity, v_sum.overage,
      array_fill(v_sum.quantity, ARRAY[1], ARRAY[v_slot]), array_fill(v_sum.overage, ARRAY[1], ARRAY[v_slot]))
    ON CONFLICT (account_id, resource_type_code, bucket_id, day) DO UPDATE SET
      quantity = r.quantity + excluded.quantity,
      overage_quantity = r.overage_quantity + excluded.overage_quantity,
      quarters[v_slot] = coalesce(r.quarters[v_slot], 0) + v_sum.quantity,
      overage_quarters[v_slot] = coalesce(r.overage_quarters[v_slot], 0) + v_sum.overage;
  END LOOP;

  IF fn_moves_stock((p_items)[1].limit_kind_code) THEN
    INSERT INTO inventory_totals AS t (account_id, resource_type_code, resource_scope, quantity)
    SELECT p_account_id, p_resource, coalesce(i.resource_scope, ''), sum(i.quantity)
    FROM unnest(p_items) i GROUP BY 3
    ON CONFLICT (account_id, resource_type_code, resource_scope) DO UPDATE SET quantity = t.quantity + excluded.quantity;
  END IF;
END $$;
COMMENT ON FUNCTION fn_write_usage IS
'Writes drawn uses of one (account, resource), all of one limit kind: ledger, allocations, window counters, rollups, stock. The caller holds the lock of the resource, and bumps its version with fn_touch_resource.';
