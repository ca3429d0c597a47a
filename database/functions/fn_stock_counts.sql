CREATE OR REPLACE FUNCTION fn_stock_counts(p_account_id uuid, p_resource text, p_at timestamptz, p_as_of boolean, p_kinds text[])
RETURNS TABLE (limit_kind_code text, resource_scope text, quantity numeric, is_held boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF 'concurrency' = ANY (p_kinds) THEN
    RETURN QUERY
    SELECT 'concurrency', l.resource_scope, sum(l.units)::numeric, false
    FROM concurrency_leases l
    WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource
      -- As they stand, also those of before a test clock was set back.
      AND l.ended_at IS NULL AND l.expires_at > p_at AND (l.acquired_at <= p_at OR NOT p_as_of)
    GROUP BY l.resource_scope;
    IF p_as_of THEN
      RETURN QUERY
      SELECT 'concurrency', l.resource_scope, sum(l.units)::numeric, false
      FROM concurrency_leases l
      WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource
        AND l.ended_at > p_at AND l.expires_at > p_at AND l.acquired_at <= p_at
      GROUP BY l.resource_scope;
    END IF;
  END IF;
  IF 'inventory' = ANY (p_kinds) THEN
    IF p_as_of THEN
      RETURN QUERY
      SELECT 'inventory', l.resource_scope, sum(l.quantity), false
      FROM consumption_ledger l
      WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND fn_moves_stock(l.limit_kind_code)
        AND l.counted_at <= p_at AND (l.entry_kind <> 'reversal' OR l.recorded_at <= p_at)
      GROUP BY l.resource_scope;
    ELSE
      RETURN QUERY
      SELECT 'inventory', nullif(t.resource_scope, ''), t.quantity, false
      FROM inventory_totals t
      WHERE t.account_id = p_account_id AND t.resource_type_code = p_resource;
    END IF;
    RETURN QUERY
    SELECT 'inventory', r.resource_scope, sum(r.quantity), true
    FROM fn_live_holds(p_account_id, p_resource, p_at, p_at, p_as_of) r
    WHERE r.limit_kind_code = 'inventory'
    GROUP BY r.resource_scope;
  END IF;
END $$;
COMMENT ON FUNCTION fn_stock_counts IS
'Live leases, and items owned and held, of an (account, resource) per scope: as they stand, or with p_as_of as they stood at p_at. A lease is live while expires_at > p_at.';
