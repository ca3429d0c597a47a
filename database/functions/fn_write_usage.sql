CREATE OR REPLACE FUNCTION fn_write_usage(
  p_namespace_id text, p_account_id uuid, p_resource text, p_kind text, p_items usage_item[], p_allocations usage_allocation[], p_now timestamptz,
  p_reverses uuid DEFAULT NULL
) RETURNS consumption_ledger
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_sum record;
  v_written boolean;
  v_drawn usage_allocation;
  v_item usage_item;
  v_of_entry usage_allocation[];
  v_next int := 1;
  v_seq bigint;
  v_hash bytea;
  v_entry consumption_ledger;
  v_entries consumption_ledger[] := '{}';
BEGIN
  SELECT s.chain_seq, s.chain_hash INTO v_seq, v_hash FROM resource_state s
  WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
  FOREACH v_item IN ARRAY p_items LOOP
    v_of_entry := '{}';
    WHILE (p_allocations[v_next]).entry_id = v_item.entry_id LOOP
      v_of_entry := v_of_entry || p_allocations[v_next];
      v_next := v_next + 1;
    END LOOP;
    v_seq := v_seq + 1;
    v_entry := ROW(v_item.entry_id, p_namespace_id, p_account_id, p_resource, v_item.resource_scope, p_kind, v_item.limit_kind_code,
      v_item.idempotency_key, v_item.quantity, v_item.unit_code, v_item.original_quantity, v_item.original_unit_code,
      v_item.occurred_at, p_now, v_item.counted_at, v_item.is_late, p_reverses,
      v_item.included_quantity, v_item.overage_quantity, v_item.excess_quantity,
      CASE WHEN v_item.metadata <> '{}' THEN fn_store_details(v_item.entry_id, p_account_id, v_item.metadata) END, v_seq, NULL);
    v_hash := fn_entry_hash(v_hash, v_entry, v_of_entry);
    v_entry.chain_hash := v_hash;
    v_entries := v_entries || v_entry;
  END LOOP;
  WITH drawn AS (
    INSERT INTO consumption_allocations (entry_id, entitlement_id, account_id, resource_type_code, bucket_id, window_start, window_end,
      counted_at, included_quantity, overage_quantity, excess_quantity, billable_quantity, overage_multiplier, draw_order)
    SELECT a.entry_id, a.entitlement_id, p_account_id, p_resource, a.bucket_id, a.window_start, a.window_end,
      a.counted_at, a.included_quantity, a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier, a.ordinality
    FROM unnest(p_allocations) WITH ORDINALITY a
  )
  INSERT INTO consumption_ledger SELECT e.* FROM unnest(v_entries) e;

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
'Writes drawn uses of one (account, resource), all of one limit kind: ledger, allocations, window counters, rollups, stock. The caller holds the lock of the resource, and gives the last entry, which is what this gives, to fn_touch_resource: it is the new head of the hash chain.';
