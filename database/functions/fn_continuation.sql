CREATE OR REPLACE FUNCTION fn_continuation(
  p_account_id uuid, p_resource text, p_drawn usage_allocation[], p_states entitlement_state[], p_limits limit_state[], p_snapshot jsonb, p_now timestamptz
) RETURNS continuation
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_next continuation;
  v_limit limit_state := p_limits[1];
  v_state entitlement_state;
BEGIN
  -- Over the limit, here or in another scope, grace clocks and caps move with each use.
  IF cardinality(p_limits) <> 1 OR cardinality(p_drawn) <> 1 OR v_limit.headroom = 0 OR v_limit.over > 0 OR v_limit.grace_until IS NOT NULL THEN
    RETURN NULL;
  END IF;
  v_next.drawn := p_drawn[1];
  FOREACH v_state IN ARRAY p_states LOOP
    -- Leases and time move the others; what was given back late is not shown, and so does not move what is shown.
    IF v_state.limit_kind_code <> 'cumulative' OR v_state.rolling_since IS NOT NULL OR v_state.used < 0 THEN
      RETURN NULL;
    ELSIF v_state.entitlement_id = (v_next.drawn).entitlement_id THEN
      v_next.room := v_state.quantity_limit - v_state.used;
    END IF;
  END LOOP;
  -- A hold ends by itself, also one on the window before, from which quantity may have rolled over.
  SELECT s.valid_from, s.valid_until INTO v_next.valid_from, v_next.valid_until
  FROM fn_states_validity(p_states, p_account_id, p_resource, p_now) s
  WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.ended_at IS NULL);
  IF NOT FOUND OR v_next.room = 0 THEN
    RETURN NULL;
  END IF;
  v_next.scope := p_snapshot ->> 'scope';
  v_next.config_version := p_snapshot ->> 'config_version';
  v_next.key_version := p_snapshot ->> 'key_version';
  v_next.room := least(v_next.room, (p_snapshot #>> '{kinds,0,bands,0,up_to}')::numeric / 1000000);
  -- Of the first band, whatever the quantity: asked with the smallest that there is.
  v_next.verdicts := fn_verdicts_json(p_limits, fn_verdicts(p_limits, false, 0.000001, 'consume'));
  v_next.snapshot := p_snapshot;
  RETURN v_next;
END $$;
COMMENT ON FUNCTION fn_continuation IS
'What a consume leaves to the next: where all that may come, up to room, goes into the first band and is drawn on the one entitlement that this one drew on, what that will be answered and written. Null where that is not so. It is good for its versions, its scope and from valid_from until valid_until. p_states, p_limits, p_snapshot: as they are after it.';
