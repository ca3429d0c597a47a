CREATE OR REPLACE FUNCTION fn_counted_at(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_timezone text, p_occurred_at timestamptz, p_now timestamptz,
  OUT counted_at timestamptz, OUT is_late boolean
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  counted_at := p_occurred_at;
  is_late := false;
  -- Any window that holds so recent an instant is still open.
  IF p_occurred_at >= p_now - p_namespace.late_arrival_grace THEN
    RETURN;
  END IF;
  is_late := EXISTS (
    SELECT FROM unnest(fn_entitlement_states(p_account_id, p_resource, p_scope, p_timezone, p_now, p_occurred_at, false)) s
    WHERE s.covers AND s.limit_kind_code = 'cumulative'
      AND fn_window_closed(p_namespace, p_account_id, p_resource, s.bucket_id, s.window_end, p_now)
  );
  IF is_late THEN
    counted_at := p_now;
  END IF;
END $$;
COMMENT ON FUNCTION fn_counted_at IS
'When a use counts: at occurred_at, unless a window that held it is closed (its end + the namespace''s late-arrival grace has passed, whether or not a job has run): then now, and it is late.';
