CREATE OR REPLACE FUNCTION fn_write_usage(
  p_namespace_id text, p_account_id uuid, p_resource text, p_kind text, p_items usage_item[], p_allocations usage_allocation[], p_now timestamptz,
  p_reverses uuid DEFAULT NULL
) RETURNS consumption_ledger
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_sum record;
  v_written boolean;
  v_drawn usage_allocation;
  v_entry consumption_ledger;
BEGIN
  WITH ledger AS (
    INSERT INTO consumption_ledger (entry_id, namespace_id, account_id, resource_type_code, resource_scope, entry_kind, limit_kind_code,
      idempotency_key, quantity, unit_code, original_quantity, original_unit_code, occurred_at, recorded_at, counted_at, is_late,
      reverses_entry_id, included_quantity, overage_quantity, excess_quantity, details_hash)
    SELECT i.entry_id, p_namespace_id, p_account_id, p_resource, i.resource_scope, p_kind, i.limit_kind_code,
      i.idempotency_key, i.quantity, i.unit_code, i.original_quantity, i.original_unit_code, i.occurred_at, p_now, i.counted_at, i.is_late,
      p_reverses, i.included_quantity, i.overage_quantity, i.excess_quantity,
      CASE WHEN i.metadata <> '{}' THEN fn_store_details(i.entry_id, i.metadata) END
    FROM unnest(p_items) i
    RETURNING *
  ), drawn AS (
    INSERT INTO consumption_allocations (entry_id, entitlement_id, account_id, resource_type_code, bucket_id, window_start, window_end,
      counted_at, included_quantity, overage_quantity, excess_quantity, billable_quantity, overage_multiplier, draw_order)
    SELECT a.entry_id, a.entitlement_id, p_account_id, p_resource, a.bucket_id, a.window_start, a.window_end,
      a.counted_at, a.included_quantity, a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier, a.ordinality
    FROM unnest(p_allocations) WITH ORDINALITY a
  )
  SELECT l.* INTO v_entry FROM ledger l LIMIT 1;

  -- One use is the common case; the many of a batch fall into few windows and quarters.
  IF cardinality(p_items) = 1 AND cardinality(p_allocations) = 1 AND p_items[1].counted_at = p_items[1].occurred_at THEN
    v_drawn := p_allocations[1];
    v_written := fn_count_use(p_account_id, p_resource, v_drawn.bucket_id, v_drawn.window_start, v_drawn.window_end, v_drawn.included_quantity,
      v_drawn.overage_quantity, v_drawn.excess_quantity, v_drawn.billable_quantity, v_drawn.billable_quantity * v_drawn.overage_multiplier);
    v_written := fn_roll_up(p_account_id, p_resource, v_drawn.bucket_id, v_drawn.counted_at, p_items[1].quantity, v_drawn.overage_quantity);
  ELSE
    FOR v_sum IN
      SELECT a.bucket_id, a.window_end, min(a.window_start) AS window_start, sum(a.included_quantity) AS included,
        sum(a.overage_quantity) AS overage, sum(a.excess_quantity) AS excess, sum(a.billable_quantity) AS billable,
        sum(a.billable_quantity * a.overage_multiplier) AS amount
      FROM unnest(p_allocations) a GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
      v_written := fn_count_use(p_account_id, p_resource, v_sum.bucket_id, v_sum.window_start, v_sum.window_end, v_sum.included,
        v_sum.overage, v_sum.excess, v_sum.billable, v_sum.amount);
    END LOOP;
    FOR v_sum IN
      SELECT d.bucket_id, date_bin('15 minutes', d.counted_at, 'epoch') AS quarter, sum(d.quantity) AS quantity, sum(d.overage) AS overage
      FROM (
        SELECT a.bucket_id, a.counted_at, a.included_quantity + a.overage_quantity + a.excess_quantity AS quantity, a.overage_quantity AS overage
        FROM unnest(p_allocations) a
        UNION ALL
        SELECT '00000000-0000-0000-0000-000000000000', i.counted_at, i.quantity, i.overage_quantity
        FROM unnest(p_items) i WHERE i.limit_kind_code IS DISTINCT FROM 'cumulative'
        UNION ALL
        -- What counts at another time than it occurred, for sums by the time it occurred.
        SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', m.at, m.sign * i.quantity, m.sign * i.overage_quantity
        FROM unnest(p_items) i CROSS JOIN LATERAL (VALUES (i.occurred_at, 1), (i.counted_at, -1)) AS m (at, sign)
        WHERE i.counted_at <> i.occurred_at
      ) d
      GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
      v_written := fn_roll_up(p_account_id, p_resource, v_sum.bucket_id, v_sum.quarter, v_sum.quantity, v_sum.overage);
    END LOOP;
  END IF;

  -- What bills tell apart and the counters do not: rare, but for items.
  IF cardinality(p_allocations) = 0 THEN
    v_written := fn_count_unentitled(p_account_id, p_resource, p_items, p_now);
  ELSIF cardinality(p_allocations) > 1 OR (p_allocations)[1].entitlement_id <> (p_allocations)[1].bucket_id THEN
    v_written := fn_count_parts(p_account_id, p_resource, p_allocations);
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
