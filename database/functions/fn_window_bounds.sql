CREATE OR REPLACE FUNCTION fn_window_bounds(
  p_class text, p_period interval, p_anchor timestamptz, p_timezone text, p_at timestamptz,
  OUT window_start timestamptz, OUT window_end timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_months int := (extract(year FROM p_period) * 12 + extract(month FROM p_period))::int;
  v_days int := extract(day FROM p_period)::int;
  v_seconds numeric := extract(epoch FROM p_period);
  v_local timestamp;
  v_anchor timestamp := p_anchor AT TIME ZONE 'UTC';
  v_steps bigint;
BEGIN
  IF p_class = 'none' THEN
    window_start := p_anchor;
    window_end := 'infinity';
  ELSIF p_class = 'rolling' THEN
    -- What bills a rolling window: the calendar month.
    SELECT b.window_start, b.window_end INTO window_start, window_end
    FROM fn_window_bounds('calendar', interval '1 month', p_anchor, p_timezone, p_at) b;
  ELSIF p_class = 'anchored' THEN
    v_local := p_at AT TIME ZONE 'UTC';
    IF v_months > 0 THEN
      -- Always counted from the anchor itself, so that a day clamped in February is back in March.
      v_steps := floor(((extract(year FROM v_local) - extract(year FROM v_anchor)) * 12
        + extract(month FROM v_local) - extract(month FROM v_anchor)) / v_months);
      IF v_anchor + make_interval(months => (v_steps * v_months)::int) > v_local THEN
        v_steps := v_steps - 1;
      END IF;
      window_start := (v_anchor + make_interval(months => (v_steps * v_months)::int)) AT TIME ZONE 'UTC';
      window_end := (v_anchor + make_interval(months => ((v_steps + 1) * v_months)::int)) AT TIME ZONE 'UTC';
    ELSE
      v_steps := floor(extract(epoch FROM p_at - p_anchor) / v_seconds);
      window_start := p_anchor + make_interval(secs => v_steps * v_seconds);
      window_end := p_anchor + make_interval(secs => (v_steps + 1) * v_seconds);
    END IF;
  ELSIF v_months > 0 OR v_days > 0 THEN
    v_local := p_at AT TIME ZONE p_timezone;
    IF v_months > 0 THEN
      v_steps := (extract(year FROM v_local) * 12 + extract(month FROM v_local) - 1)::bigint % v_months;
      v_local := date_trunc('month', v_local) - make_interval(months => v_steps::int);
    ELSE
      -- Weeks and their like begin on a Monday.
      v_steps := ((v_local::date - date '2001-01-01') % v_days + v_days) % v_days;
      v_local := date_trunc('day', v_local) - make_interval(days => v_steps::int);
    END IF;
    -- A local midnight that a change of clocks repeats or skips may map to after p_at.
    IF v_local AT TIME ZONE p_timezone > p_at THEN
      v_local := v_local - p_period;
    ELSIF (v_local + p_period) AT TIME ZONE p_timezone <= p_at THEN
      v_local := v_local + p_period;
    END IF;
    window_start := v_local AT TIME ZONE p_timezone;
    window_end := (v_local + p_period) AT TIME ZONE p_timezone;
  ELSE
    v_steps := floor(extract(epoch FROM p_at) / v_seconds);
    window_start := to_timestamp(v_steps * v_seconds);
    window_end := to_timestamp((v_steps + 1) * v_seconds);
  END IF;
END $$;
COMMENT ON FUNCTION fn_window_bounds IS
'The window [start, end) of a class and period that holds an instant. calendar: in the timezone, months and days by local midnights, Mondays for weeks, shorter periods in absolute time. anchored: steps from the anchor in UTC, each clamped to its month''s end and none derived from another. rolling: the calendar month that bills it. none: from the anchor on.';
