CREATE OR REPLACE FUNCTION fn_lay_stocks(
  p_states entitlement_state[], p_account_id uuid, p_resource text, p_at timestamptz, p_as_of boolean
) RETURNS entitlement_state[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_stock record;
  v_left numeric;
  v_take numeric;
  v_last int;
  v_kinds text[];
BEGIN
  SELECT array_agg(DISTINCT s.limit_kind_code) INTO v_kinds FROM unnest(p_states) s
  WHERE s.limit_kind_code IN ('inventory', 'concurrency');
  IF v_kinds IS NULL THEN
    RETURN p_states;
  END IF;
  FOR v_stock IN
    SELECT * FROM fn_stock_counts(p_account_id, p_resource, p_at, p_as_of, v_kinds) c
    ORDER BY c.is_held, length(c.resource_scope) DESC NULLS LAST, c.resource_scope
  LOOP
    v_left := greatest(v_stock.quantity, 0);
    v_last := NULL;
    FOR i IN 1 .. cardinality(p_states) LOOP
      CONTINUE WHEN p_states[i].limit_kind_code <> v_stock.limit_kind_code
        OR NOT fn_scope_covers(p_states[i].resource_scope, v_stock.resource_scope);
      v_last := i;
      v_take := least(v_left, greatest(p_states[i].quantity_limit - p_states[i].used - p_states[i].held, 0));
      v_left := v_left - v_take;
      IF v_stock.is_held THEN
        p_states[i].held := p_states[i].held + v_take;
      ELSE
        p_states[i].used := p_states[i].used + v_take;
      END IF;
    END LOOP;
    IF v_left > 0 AND v_last IS NOT NULL THEN
      IF v_stock.is_held THEN
        p_states[v_last].held := p_states[v_last].held + v_left;
      ELSE
        p_states[v_last].used := p_states[v_last].used + v_left;
      END IF;
    END IF;
  END LOOP;
  FOR i IN 1 .. cardinality(p_states) LOOP
    IF p_states[i].limit_kind_code = ANY (v_kinds) THEN
      p_states[i].overage := greatest(p_states[i].used + p_states[i].held - p_states[i].quantity_limit, 0);
    END IF;
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_lay_stocks IS
'Lays the counts of live leases and of items, owned before held, over the entitlements in force, deepest scope first, each in draw order, what is over on the last that covers it. No counter per entitlement: what was taken under a plan counts under the next.';
