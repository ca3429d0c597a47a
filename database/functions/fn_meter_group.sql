CREATE OR REPLACE FUNCTION fn_meter_group(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_items usage_item[], p_now timestamptz
) RETURNS usage_item[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_timezone text := (SELECT a.timezone FROM accounts a WHERE a.account_id = p_account_id);
  v_settled usage_item[] := '{}';
  v_pending usage_item[] := '{}';
  v_item usage_item;
  v_states entitlement_state[];
  v_from timestamptz;
  v_until timestamptz;
  v_counts_now boolean;
BEGIN
  FOREACH v_item IN ARRAY p_items LOOP
    v_item.occurred_at := coalesce(v_item.occurred_at, p_now);
    -- Windows under which something could count are open: what happened while they ran is not late.
    IF v_states IS NULL OR v_item.occurred_at < v_from OR v_item.occurred_at >= v_until OR v_item.occurred_at > p_now THEN
      v_item := fn_time_item(v_item, p_namespace, v_timezone, p_now);
    ELSE
      v_item.counted_at := v_item.occurred_at;
      v_item.is_late := false;
    END IF;
    IF v_item.error IS NULL AND (v_states IS NULL OR v_item.quantity < 0 OR v_item.counted_at < v_from OR v_item.counted_at >= v_until) THEN
      v_settled := v_settled || fn_meter_pending(p_namespace, p_account_id, p_resource, v_pending, v_states, p_now);
      v_pending := '{}';
      SELECT u.states, u.counted_at <> v_item.counted_at INTO v_states, v_counts_now
      FROM fn_states_for_use(p_account_id, p_resource, p_scope, v_timezone, p_now, v_item.counted_at) u;
      SELECT s.valid_from, s.valid_until INTO v_from, v_until FROM fn_states_validity(v_states, p_account_id, p_resource, v_item.counted_at) s;
      v_item.error := fn_negative_error(v_item, v_states);
    END IF;
    IF v_item.error IS NULL THEN
      v_item.status := 'recorded';
      IF v_counts_now THEN
        v_item.counted_at := p_now;
        v_item.is_late := fn_windows_over(v_states, v_timezone, v_item.occurred_at, p_now - p_namespace.late_arrival_grace);
      END IF;
      v_pending := v_pending || v_item;
    ELSE
      v_item.status := 'invalid';
      v_settled := v_settled || v_item;
    END IF;
    IF v_item.quantity < 0 THEN
      -- The stock is laid afresh after it.
      v_settled := v_settled || fn_meter_pending(p_namespace, p_account_id, p_resource, v_pending, v_states, p_now);
      v_pending := '{}';
      v_states := NULL;
    END IF;
  END LOOP;
  RETURN v_settled || fn_meter_pending(p_namespace, p_account_id, p_resource, v_pending, v_states, p_now);
END $$;
COMMENT ON FUNCTION fn_meter_group IS
'Records the uses of one (account, resource, scope) of a batch: those that count under the same entitlements and windows are drawn one after the other in memory and written together.';
