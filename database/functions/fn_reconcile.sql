CREATE OR REPLACE FUNCTION fn_reconcile(p_namespace_id text DEFAULT NULL, p_most int DEFAULT 500, p_most_entries int DEFAULT 100000) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_until timestamptz := clock_timestamp() + interval '1 second';
  v_keys resource_state[] := fn_next_keys('reconcile', p_namespace_id, p_most + 1);
  v_next resource_state := v_keys[p_most + 1];
  v_key resource_state;
  v_entries bigint;
  v_entries_seen bigint := 0;
  v_found jsonb;
  v_seen int := 0;
  v_compared int := 0;
  v_differences jsonb := '[]';
  v_too_large jsonb := '[]';
BEGIN
  FOREACH v_key IN ARRAY coalesce(v_keys[1:p_most], '{}') LOOP
    SELECT count(*) INTO v_entries FROM (
      SELECT FROM consumption_ledger l
      WHERE l.account_id = v_key.account_id AND l.resource_type_code = v_key.resource_type_code LIMIT p_most_entries + 1
    ) l;
    IF v_seen > 0 AND (clock_timestamp() > v_until OR jsonb_array_length(v_differences) >= 100
      OR v_entries_seen + v_entries > p_most_entries AND v_entries <= p_most_entries)
    THEN
      v_next := v_key;
      EXIT;
    END IF;
    v_seen := v_seen + 1;
    IF v_entries > p_most_entries THEN
      -- Not to be compared within the time that a statement of the Worker has: select * from fn_differences(…) is.
      v_too_large := v_too_large || jsonb_build_object('account_uuid', v_key.account_id, 'resource', v_key.resource_type_code);
      CONTINUE;
    END IF;
    v_entries_seen := v_entries_seen + v_entries;
    IF EXISTS (SELECT FROM fn_differences(v_key.account_id, v_key.resource_type_code)) THEN
      -- Under the lock nobody is at work there.
      PERFORM fn_lock_resource(v_key.account_id, v_key.resource_type_code, false);
      SELECT coalesce(jsonb_agg(jsonb_build_object('law', d.law, 'account_uuid', v_key.account_id, 'resource', v_key.resource_type_code, 'subject', d.subject)), '[]')
      INTO v_found FROM (SELECT * FROM fn_differences(v_key.account_id, v_key.resource_type_code) LIMIT 100) d;
      v_differences := v_differences || v_found;
    END IF;
    v_compared := v_compared + 1;
  END LOOP;
  IF v_keys IS NOT NULL THEN
    PERFORM fn_job_reached('reconcile', p_namespace_id, v_next);
  END IF;
  RETURN jsonb_build_object('job', 'reconcile', 'processed', v_compared, 'more', v_keys IS NULL OR v_next.account_id IS NOT NULL,
    'differences', v_differences, 'too_large', v_too_large);
END $$;
COMMENT ON FUNCTION fn_reconcile IS
'Compares counters with the ledger (fn_differences), of one namespace or (null) of all, and changes none: goes through at most p_most (account, resource) and p_most_entries entries from where it was last. processed: how many it compared; differences: what it found, confirmed under the lock of the resource; too_large: those with more than p_most_entries entries each, left out; more: there are (account, resource) left.';
