CREATE OR REPLACE FUNCTION fn_window_next(
  p_account_id uuid, p_resource text, p_class text, p_period interval, p_anchor timestamptz, p_timezone text, p_at timestamptz,
  OUT window_start timestamptz, OUT window_end timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_previous_end timestamptz;
  v_following timestamptz;
  v_next_start timestamptz;
BEGIN
  SELECT b.window_start, b.window_end INTO window_start, window_end
  FROM fn_window_bounds(p_class, p_period, p_anchor, p_timezone, p_at) b;
  IF p_class NOT IN ('calendar', 'rolling') THEN
    RETURN;
  END IF;
  -- Windows that were begun in another timezone keep their end: the next one starts there, without overlap.
  SELECT max(w.window_end) INTO v_previous_end
  FROM entitlement_windows w
  JOIN entitlements e ON e.account_id = w.account_id AND e.resource_type_code = w.resource_type_code AND e.bucket_id = w.bucket_id
  WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
    AND w.window_end > fn_window_next.window_start AND w.window_end <= p_at
    AND e.window_class = p_class AND e.window_period = p_period;
  IF v_previous_end IS NOT NULL THEN
    SELECT b.window_end INTO v_following FROM fn_window_bounds(p_class, p_period, p_anchor, p_timezone, window_end) b;
    -- What is left of a window cut short by less than its half joins the next: nobody gets a quota for a few hours.
    IF window_end - v_previous_end < v_following - window_end - (window_end - v_previous_end) THEN
      window_end := v_following;
    END IF;
    window_start := v_previous_end;
  END IF;
  -- What is told late may fall before one that was begun in the timezone of before.
  SELECT min(w.window_start) INTO v_next_start
  FROM entitlement_windows w
  JOIN entitlements e ON e.account_id = w.account_id AND e.resource_type_code = w.resource_type_code AND e.bucket_id = w.bucket_id
  WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
    AND w.window_start > p_at AND w.window_start < fn_window_next.window_end
    AND e.window_class = p_class AND e.window_period = p_period;
  window_end := least(window_end, v_next_start);
END $$;
COMMENT ON FUNCTION fn_window_next IS
'The bounds of a window that has no row yet and holds p_at: those of fn_window_bounds, unless a window begun under another timezone reaches into it: then it starts where that one ended, or ends where that one starts.';
