CREATE OR REPLACE FUNCTION fn_close_windows(p_namespace_id text DEFAULT NULL, p_most int DEFAULT 500) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  -- Commands wait for the locks that are taken here: not for long.
  v_until timestamptz := clock_timestamp() + interval '500 milliseconds';
  v_keys resource_state[] := fn_next_keys('close_windows', p_namespace_id, p_most + 1);
  v_next resource_state := v_keys[p_most + 1];
  v_due record;
  v_now timestamptz;
  v_frozen int;
  v_closed int := 0;
BEGIN
  IF v_keys IS NULL THEN
    RETURN '{"job":"close_windows","processed":0,"more":true}';
  END IF;
  FOR v_due IN
    SELECT k AS key, n AS namespace
    FROM unnest(v_keys[1:p_most]) k JOIN accounts a ON a.account_id = k.account_id JOIN namespaces n USING (namespace_id)
    WHERE EXISTS (
      SELECT FROM entitlement_windows w
      WHERE w.account_id = k.account_id AND w.resource_type_code = k.resource_type_code AND w.frozen_at IS NULL
        AND fn_window_closed(n, w.account_id, w.resource_type_code, w.bucket_id, w.window_end, fn_clock(n, statement_timestamp())))
    ORDER BY k.account_id, k.resource_type_code
  LOOP
    IF clock_timestamp() > v_until THEN
      v_next := v_due.key;
      EXIT;
    END IF;
    -- A command at work there is never waited for: the window is closed to it all the same, and is frozen next time.
    PERFORM FROM resource_state s
    WHERE s.account_id = (v_due.key).account_id AND s.resource_type_code = (v_due.key).resource_type_code FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    v_now := fn_now((v_due.namespace).namespace_id);
    UPDATE entitlement_windows w
    SET frozen_at = fn_window_closed_at(v_due.namespace, w.account_id, w.resource_type_code, w.bucket_id, w.window_end)
    WHERE w.account_id = (v_due.key).account_id AND w.resource_type_code = (v_due.key).resource_type_code AND w.frozen_at IS NULL
      AND fn_window_closed(v_due.namespace, w.account_id, w.resource_type_code, w.bucket_id, w.window_end, v_now);
    GET DIAGNOSTICS v_frozen = ROW_COUNT;
    v_closed := v_closed + v_frozen;
  END LOOP;
  PERFORM fn_job_reached('close_windows', p_namespace_id, v_next);
  RETURN jsonb_build_object('job', 'close_windows', 'processed', v_closed, 'more', v_next.account_id IS NOT NULL);
END $$;
COMMENT ON FUNCTION fn_close_windows IS
'Freezes the windows that are closed (fn_window_closed), as of the instant they were (fn_window_closed_at), of one namespace or (null) of all: goes through at most p_most (account, resource) from where it was last, under the lock of each. Changes no answer. Safe twice and at once; more: there are (account, resource) left to look at.';
