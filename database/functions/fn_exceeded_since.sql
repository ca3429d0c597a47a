CREATE OR REPLACE FUNCTION fn_exceeded_since(
  p_account_id uuid, p_resource text, p_states entitlement_state[], p_window_start timestamptz, p_window_end timestamptz, p_at timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_fell_seq bigint;
  v_from timestamptz := p_window_start;
  v_since timestamptz;
  v_over record;
BEGIN
  IF p_window_end IS NULL THEN
    IF EXISTS (SELECT FROM unnest(p_states) s WHERE s.limit_kind_code = 'cumulative' AND s.rolling_since IS NOT NULL) THEN
      -- When time alone took the use back under the limit was not written down.
      RETURN NULL;
    END IF;
    SELECT l.chain_seq, l.recorded_at INTO v_fell_seq, v_from FROM consumption_ledger l
    WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.entry_kind = 'reversal' AND l.recorded_at <= p_at
      AND NOT EXISTS (
        SELECT FROM unnest(fn_entitlement_states(p_account_id, p_resource, NULL, 'UTC', l.recorded_at, l.recorded_at, true)) s
        WHERE s.limit_kind_code = 'cumulative' AND greatest(s.used, 0) + s.held > s.quantity_limit)
    ORDER BY l.recorded_at DESC LIMIT 1;
  END IF;
  FOR v_over IN
    SELECT a.entry_id, a.counted_at FROM consumption_allocations a
    WHERE a.bucket_id = ANY (ARRAY(SELECT s.bucket_id FROM unnest(p_states) s WHERE s.limit_kind_code = 'cumulative'))
      AND a.overage_quantity + a.excess_quantity > 0
      AND a.counted_at >= coalesce(p_window_start, '-infinity') AND a.counted_at < coalesce(p_window_end, 'infinity')
      AND a.counted_at <= p_at + interval '5 minutes'
    ORDER BY a.counted_at
  LOOP
    -- Nothing counts more than 5 minutes after its recording, so none of these was recorded before.
    EXIT WHEN v_over.counted_at > v_since + interval '5 minutes';
    v_since := least(v_since, (
      SELECT l.recorded_at FROM consumption_ledger l
      WHERE l.entry_id = v_over.entry_id AND l.recorded_at <= p_at AND l.chain_seq > coalesce(v_fell_seq, 0)));
  END LOOP;
  -- A hold counts as spent. None lasts longer than a day: one of before is neither live nor has become that use.
  SELECT coalesce(min(r.reserved_at), v_since) INTO v_since FROM reservations r
  WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource
    AND r.reserved_at >= greatest(v_from, coalesce(v_since, p_at) - interval '24 hours')
    AND r.reserved_at <= coalesce(v_since, p_at) AND r.reserved_at < coalesce(p_window_end, 'infinity')
    AND r.limit_kind_code = 'cumulative' AND r.overage_quantity > 0 AND fn_hold_counts(r, p_at);
  -- What was recorded ahead of its window exceeds it from its start.
  RETURN CASE WHEN v_since IS NOT NULL THEN greatest(v_since, p_window_start) END;
END $$;
COMMENT ON FUNCTION fn_exceeded_since IS
'The instant at which the limit was first exceeded, of those recorded by p_at, in the window [p_window_start, p_window_end) that the cumulative entitlements of p_states share; without one (both null), since a reversal last brought the use back under the limit; null in rolling windows. Only what went over is looked at.';
