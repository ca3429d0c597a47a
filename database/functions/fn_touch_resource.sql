CREATE OR REPLACE FUNCTION fn_touch_resource(
  p_account_id uuid, p_resource text, p_now timestamptz, p_kind text, p_states entitlement_state[], p_over boolean, p_was_over boolean,
  p_granted int DEFAULT 0, p_head consumption_ledger DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_over boolean;
  v_ends_at timestamptz;
  v_running boolean;
  v_exceeded_at timestamptz;
BEGIN
  PERFORM fn_note(jsonb_build_object('account_id', p_account_id, 'resource', p_resource));
  IF NOT p_over THEN
    -- Within the limit no clock starts, and what one says is not asked.
    UPDATE resource_state s SET key_version = s.key_version + 1, last_fencing_token = s.last_fencing_token + p_granted,
      chain_seq = coalesce(p_head.chain_seq, s.chain_seq), chain_hash = coalesce(p_head.chain_hash, s.chain_hash)
    WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
    RETURN true;
  END IF;
  SELECT coalesce(bool_or(greatest(s.used, 0) + s.held > s.quantity_limit), false),
         nullif(min(s.window_end) FILTER (WHERE s.rolling_since IS NULL), 'infinity'),
         coalesce(bool_and(p_now >= s.window_start AND p_now < s.window_end) FILTER (WHERE s.rolling_since IS NULL), true)
  INTO v_over, v_ends_at, v_running
  FROM unnest(p_states) s WHERE s.limit_kind_code = p_kind;
  IF v_over AND v_running THEN
    v_exceeded_at := coalesce(
      fn_grace_clock(p_account_id, p_resource, p_kind, p_states, p_was_over OR v_ends_at IS NOT NULL, p_now),
      CASE WHEN v_ends_at IS NULL THEN p_now END);
  END IF;
  -- What crosses the limit starts the clock, if it counts in the windows of now. A clock of windows keeps the end that it
  -- was given, and stands when that has come; any other one only until the use falls back under the limit.
  UPDATE resource_state s SET
    key_version = s.key_version + 1,
    last_fencing_token = s.last_fencing_token + p_granted,
    chain_seq = coalesce(p_head.chain_seq, s.chain_seq),
    chain_hash = coalesce(p_head.chain_hash, s.chain_hash),
    cumulative_exceeded_at = CASE
      WHEN p_kind <> 'cumulative' THEN s.cumulative_exceeded_at
      WHEN v_exceeded_at IS NOT NULL THEN v_exceeded_at
      WHEN v_over OR NOT v_running OR s.cumulative_grace_end IS NOT NULL THEN s.cumulative_exceeded_at END,
    cumulative_grace_end = CASE
      WHEN p_kind <> 'cumulative' OR v_exceeded_at IS NULL OR v_exceeded_at = s.cumulative_exceeded_at THEN s.cumulative_grace_end
      ELSE v_ends_at END,
    inventory_exceeded_at = CASE WHEN p_kind = 'inventory' THEN v_exceeded_at ELSE s.inventory_exceeded_at END,
    concurrency_exceeded_at = CASE WHEN p_kind = 'concurrency' THEN v_exceeded_at ELSE s.concurrency_exceeded_at END
  WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource;
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_touch_resource IS
'After a write: bumps and notes the version of an (account, resource) and keeps the grace clock of the kind that was drawn on. p_over: whether the limit may be exceeded, before or after; p_was_over: whether it was before; p_states: as they are now, in all scopes; p_granted: how many leases it granted; p_head: the last entry that it wrote, if it wrote any.';
