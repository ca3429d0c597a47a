CREATE OR REPLACE FUNCTION fn_entitlement_states(
  p_account_id uuid, p_resource text, p_scope text, p_timezone text, p_now timestamptz, p_at timestamptz, p_as_of boolean
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_states entitlement_state[];
BEGIN
  WITH held AS MATERIALIZED (
    SELECT a.bucket_id, a.window_end,
           sum(a.included_quantity + a.overage_quantity) AS quantity, sum(a.overage_quantity) AS overage
    FROM reservations r JOIN reservation_allocations a USING (reservation_id)
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource
      AND r.reserved_at <= p_at AND r.expires_at > CASE WHEN p_as_of THEN p_at ELSE p_now END
      AND (r.ended_at IS NULL OR (p_as_of AND r.ended_at > p_at))
    GROUP BY a.bucket_id, a.window_end
  ), counted AS MATERIALIZED (
    SELECT w.bucket_id, w.window_start, w.window_end, w.used, w.overage_quantity, w.carried
    FROM entitlement_windows w
    WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
      AND w.window_end > p_at AND w.window_start <= p_at
  ), in_force AS MATERIALIZED (
    SELECT e.*, t.window_class, t.period, c.window_start, c.window_end,
           coalesce(c.used, 0) AS used, coalesce(c.overage_quantity, 0) AS overage, coalesce(c.carried, 0) AS carried
    FROM entitlements e
    LEFT JOIN window_types t ON e.limit_kind_code = 'cumulative' AND t.window_type_code = coalesce(e.window_type_code, 'none')
    LEFT JOIN counted c ON e.limit_kind_code = 'cumulative' AND c.bucket_id = e.bucket_id
    WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource
      AND e.effective_start <= p_at AND (e.effective_end IS NULL OR e.effective_end > p_at)
      AND (e.revoked_at IS NULL OR e.revoked_at > p_at)
  ), begun AS MATERIALIZED (
    -- Windows that have no row yet; entitlements of one plan share theirs, so each is worked out once.
    SELECT k.*, b.window_start, b.window_end
    FROM (
      SELECT DISTINCT i.window_class, i.period, CASE WHEN i.window_class IN ('anchored', 'none') THEN i.window_anchor END AS window_anchor
      FROM in_force i WHERE i.window_class IS NOT NULL AND i.window_end IS NULL
    ) k
    CROSS JOIN LATERAL fn_window_next(p_account_id, p_resource, k.window_class, k.period, k.window_anchor, p_timezone, p_at) b
  ), complete AS (
    SELECT i.entitlement_id, i.bucket_id, i.limit_kind_code, i.plan_id, i.resource_scope, i.priority, i.created_at,
           i.effective_end, i.window_class, i.window_type_code, coalesce(i.limit_quantity, 'Infinity') AS quantity_limit,
           coalesce(i.window_start, b.window_start) AS window_start, coalesce(i.window_end, b.window_end) AS window_end,
           CASE WHEN i.window_class = 'rolling' THEN (CASE WHEN p_as_of THEN p_at ELSE p_now END) - i.period END AS rolling_since,
           i.used, i.overage, i.carried
    FROM in_force i
    LEFT JOIN begun b ON i.window_end IS NULL AND b.window_class = i.window_class AND b.period IS NOT DISTINCT FROM i.period
      AND (b.window_anchor IS NULL OR b.window_anchor = i.window_anchor)
  )
  SELECT array_agg(ROW(
      c.entitlement_id, c.bucket_id, c.limit_kind_code, c.plan_id, c.resource_scope,
      fn_scope_covers(c.resource_scope, p_scope), c.quantity_limit,
      CASE WHEN c.window_class IS NULL THEN 0 WHEN u.quantity IS NULL THEN c.used
           WHEN c.rolling_since IS NULL THEN c.carried + u.quantity ELSE u.quantity END,
      coalesce(h.quantity, 0),
      CASE WHEN c.window_class IS NULL THEN 0 ELSE coalesce(u.overage, c.overage) END + coalesce(h.overage, 0),
      CASE WHEN c.window_class IS NOT NULL THEN coalesce(c.window_type_code, 'none') END,
      c.window_start, c.window_end, c.rolling_since, coalesce(c.effective_end, 'infinity'))::entitlement_state
    ORDER BY c.priority, length(c.resource_scope) DESC NULLS LAST,
      least(CASE WHEN c.rolling_since IS NULL THEN c.window_end END, c.effective_end) NULLS LAST, c.created_at, c.entitlement_id)
  INTO v_states
  FROM complete c
  -- Strict: with no bucket it is not called at all.
  CROSS JOIN LATERAL fn_bucket_usage_at(p_account_id, p_resource,
    CASE WHEN c.window_class IS NOT NULL AND (p_as_of OR c.rolling_since IS NOT NULL) THEN c.bucket_id END,
    -- A window's start is inclusive, that of a rolling one is not.
    coalesce(c.rolling_since, c.window_start - interval '1 microsecond'),
    CASE WHEN p_as_of THEN p_at ELSE p_now END, p_as_of) u
  LEFT JOIN LATERAL (
    SELECT sum(h.quantity) AS quantity, sum(h.overage) AS overage FROM held h
    WHERE h.bucket_id = c.bucket_id AND (c.rolling_since IS NOT NULL OR h.window_end = c.window_end)
  ) h ON true;
  RETURN fn_lay_stocks(coalesce(v_states, '{}'), p_account_id, p_resource, CASE WHEN p_as_of THEN p_at ELSE p_now END, p_as_of);
END $$;
COMMENT ON FUNCTION fn_entitlement_states IS
'The entitlements of an (account, resource) that are in force at p_at, of all kinds and scopes, in draw order: priority, longer scope, earlier end, older. Counters are those of the windows that hold p_at as they stand now, rolling windows end now; with p_as_of everything is as it was, or will be, at p_at.';
