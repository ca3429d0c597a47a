CREATE OR REPLACE FUNCTION fn_write_usage(
  p_namespace_id text, p_account_id uuid, p_resource text, p_kind text, p_items usage_item[], p_allocations usage_allocation[], p_now timestamptz
) RETURNS consumption_ledger
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_sum record;
  v_entry consumption_ledger;
BEGIN
  WITH ledger AS (
    INSERT INTO consumption_ledger (entry_id, namespace_id, account_id, resource_type_code, resource_scope, entry_kind, limit_kind_code,
      idempotency_key, quantity, unit_code, original_quantity, original_unit_code, occurred_at, recorded_at, counted_at, is_late,
      included_quantity, overage_quantity, excess_quantity, details_hash)
    SELECT i.entry_id, p_namespace_id, p_account_id, p_resource, i.resource_scope, p_kind, i.limit_kind_code,
      i.idempotency_key, i.quantity, i.unit_code, i.original_quantity, i.original_unit_code, i.occurred_at, p_now, i.counted_at, i.is_late,
      i.included_quantity, i.overage_quantity, i.excess_quantity,
      CASE WHEN i.metadata <> '{}' THEN fn_store_details(i.entry_id, i.metadata) END
    FROM unnest(p_items) i
    RETURNING *
  ), drawn AS (
    INSERT INTO consumption_allocations (entry_id, entitlement_id, account_id, resource_type_code, bucket_id, window_start, window_end,
      counted_at, included_quantity, overage_quantity, excess_quantity, billable_quantity, overage_multiplier)
    SELECT a.entry_id, a.entitlement_id, p_account_id, p_resource, a.bucket_id, a.window_start, a.window_end,
      a.counted_at, a.included_quantity, a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier
    FROM unnest(p_allocations) a
  ), counted AS (
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
      billable_amount = w.billable_amount + excluded.billable_amount
  )
  SELECT l.* INTO v_entry FROM ledger l LIMIT 1;

  -- One use is the common case; the many of a batch fall into few quarters.
  IF cardinality(p_items) = 1 AND cardinality(p_allocations) = 1 THEN
    PERFORM fn_roll_up(p_account_id, p_resource, p_allocations[1].bucket_id, p_allocations[1].counted_at, p_items[1].quantity, p_items[1].overage_quantity);
  ELSE
    FOR v_sum IN
      SELECT d.bucket_id, date_bin('15 minutes', d.counted_at, 'epoch') AS quarter, sum(d.quantity) AS quantity, sum(d.overage) AS overage
      FROM (
        SELECT a.bucket_id, a.counted_at, a.included_quantity + a.overage_quantity + a.excess_quantity AS quantity, a.overage_quantity AS overage
        FROM unnest(p_allocations) a
        UNION ALL
        SELECT '00000000-0000-0000-0000-000000000000', i.counted_at, i.quantity, i.overage_quantity
        FROM unnest(p_items) i WHERE i.limit_kind_code IS DISTINCT FROM 'cumulative'
      ) d
      GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
      PERFORM fn_roll_up(p_account_id, p_resource, v_sum.bucket_id, v_sum.quarter, v_sum.quantity, v_sum.overage);
    END LOOP;
  END IF;

  IF fn_moves_stock((p_items)[1].limit_kind_code) THEN
    INSERT INTO inventory_totals AS t (account_id, resource_type_code, resource_scope, quantity)
    SELECT p_account_id, p_resource, coalesce(i.resource_scope, ''), sum(i.quantity)
    FROM unnest(p_items) i GROUP BY 3
    ON CONFLICT (account_id, resource_type_code, resource_scope) DO UPDATE SET quantity = t.quantity + excluded.quantity;
  END IF;
  RETURN v_entry;
END $$;
COMMENT ON FUNCTION fn_write_usage IS
'Writes drawn uses of one (account, resource), all of one limit kind: ledger, allocations, window counters, rollups, stock. The caller holds the lock of the resource, and bumps its version with fn_touch_resource. Gives the entry (of several, one).';
