CREATE OR REPLACE FUNCTION fn_windows_over(
  p_states entitlement_state[], p_timezone text, p_occurred_at timestamptz, p_open_since timestamptz
) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN p_occurred_at < p_open_since AND EXISTS (
    SELECT FROM unnest(p_states) s,
      fn_window_bounds(s.window_class, s.window_period, s.window_anchor, p_timezone, p_occurred_at) b
    WHERE s.covers AND s.limit_kind_code = 'cumulative' AND b.window_end <= p_open_since
      AND (s.window_class <> 'anchored' OR p_occurred_at >= s.window_anchor)
  );
END $$;
COMMENT ON FUNCTION fn_windows_over IS
'Whether a use that counts now, because nothing was entitled when it occurred, is late: a window that would have held it had ended by p_open_since. Nothing comes before an anchor.';
