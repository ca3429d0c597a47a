CREATE OR REPLACE FUNCTION fn_entitlement_view(
  p_account_id uuid, p_resource text, p_scope text, p_timezone text, p_now timestamptz, p_at timestamptz, p_as_of boolean
) RETURNS entitlement_view
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_states entitlement_state[];
  v_others boolean;
  v_held boolean;
  v_windows_missing boolean;
  v_sums_wanted boolean;
  v_stocks boolean;
  v_rollover boolean;
  v_edge timestamptz := CASE WHEN p_as_of THEN p_at ELSE p_now END;
BEGIN
  -- The windows still running are one range of their index, and few: read once, not once for each entitlement.
  WITH counted AS MATERIALIZED (
    SELECT w.bucket_id, w.window_start, w.window_end, w.used, w.overage_quantity
    FROM entitlement_windows w
    WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource AND w.window_end > p_at AND w.window_start <= p_at
  )
  SELECT array_agg(ROW(
      e.entitlement_id, e.bucket_id, e.limit_kind_code, e.plan_id, e.resource_scope, fn_scope_covers(e.resource_scope, p_scope),
      coalesce(e.limit_quantity, 'Infinity'), coalesce(c.used, 0), 0, greatest(c.overage_quantity, 0),
      e.window_type_code, c.window_start, c.window_end,
      CASE WHEN e.window_class = 'rolling' THEN v_edge - e.window_period END,
      coalesce(e.effective_end, 'infinity'), e.priority, e.created_at, e.window_class, e.window_period, e.window_anchor)::entitlement_state),
    bool_or(e.window_class IS NOT NULL AND c.window_end IS NULL),
    bool_or(e.window_class = 'rolling' OR (p_as_of AND e.window_class IS NOT NULL)),
    bool_or(e.limit_kind_code IN ('inventory', 'concurrency')),
    bool_or(e.rollover_limit IS NOT NULL),
    EXISTS (SELECT FROM entitlements o WHERE o.account_id = p_account_id AND o.resource_type_code = p_resource
      AND (o.effective_start > p_at OR o.effective_end <= p_at OR o.revoked_at <= p_at)),
    p_as_of OR EXISTS (SELECT FROM reservations r WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.ended_at IS NULL)
  INTO v_states, v_windows_missing, v_sums_wanted, v_stocks, v_rollover, v_others, v_held
  FROM entitlements e
  LEFT JOIN counted c ON c.bucket_id = e.bucket_id AND e.window_class IS NOT NULL
  WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource
    AND e.effective_start <= p_at AND (e.effective_end IS NULL OR e.effective_end > p_at)
    AND (e.revoked_at IS NULL OR e.revoked_at > p_at);
  IF v_states IS NULL THEN
    RETURN ROW('{}'::entitlement_state[], v_others);
  END IF;
  IF v_windows_missing THEN
    v_states := fn_states_with_windows(v_states, p_account_id, p_resource, p_timezone, p_at);
  END IF;
  IF v_sums_wanted THEN
    v_states := fn_states_with_sums(v_states, p_account_id, p_resource, v_edge, p_as_of);
  END IF;
  IF v_held THEN
    v_states := fn_states_with_holds(v_states, p_account_id, p_resource, p_now, p_at, p_as_of);
  END IF;
  IF v_rollover THEN
    v_states := fn_states_with_rollover(v_states, p_account_id, p_resource, p_timezone, p_now, p_at, p_as_of);
  END IF;
  IF cardinality(v_states) > 1 THEN
    SELECT array_agg(s ORDER BY s.priority, length(s.resource_scope) DESC NULLS LAST,
      least(CASE WHEN s.rolling_since IS NULL THEN s.window_end END, s.effective_end), s.created_at, s.entitlement_id)
    INTO v_states FROM unnest(v_states) s;
  END IF;
  IF v_stocks THEN
    v_states := fn_lay_stocks(v_states, p_account_id, p_resource, v_edge, p_as_of);
  END IF;
  RETURN ROW(v_states, v_others);
END $$;
COMMENT ON FUNCTION fn_entitlement_view IS
'The entitlements of an (account, resource) that are in force at p_at, of all kinds and scopes, in draw order: priority, longer scope, earlier end, older. Counters are those of the windows that hold p_at as they stand now, rolling windows end now; with p_as_of everything is as it was, or will be, at p_at. others: whether there are any that are not in force.';
