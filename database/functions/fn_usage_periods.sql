CREATE OR REPLACE FUNCTION fn_usage_periods(p_granularity text, p_from timestamptz, p_to timestamptz, p_timezone text)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
  WITH edge (at) AS (
    VALUES (p_from), (p_to)
    UNION
    SELECT date_bin('15 minutes', d AT TIME ZONE p_timezone, 'epoch')
    FROM generate_series(date_trunc(p_granularity, p_from AT TIME ZONE p_timezone), p_to AT TIME ZONE p_timezone, ('1 ' || p_granularity)::interval) d
    WHERE p_granularity <> 'hour'
    UNION
    -- Hours are of the local clock, also where its offset is of quarters or changes by them.
    SELECT q
    FROM generate_series(date_bin('15 minutes', p_from, 'epoch'), CASE p_granularity WHEN 'hour' THEN p_to ELSE p_from - interval '1 day' END, '15 minutes') q
    WHERE extract(minute FROM q AT TIME ZONE p_timezone) = 0
      OR date_trunc('hour', q AT TIME ZONE p_timezone) <> date_trunc('hour', (q - interval '15 minutes') AT TIME ZONE p_timezone)
  )
  SELECT * FROM (SELECT e.at, lead(e.at) OVER (ORDER BY e.at) FROM edge e WHERE e.at BETWEEN p_from AND p_to) p (starts_at, ends_at)
  WHERE p.ends_at IS NOT NULL
$$;
COMMENT ON FUNCTION fn_usage_periods IS
'The hours, days or months of a timezone from p_from to p_to, the first and the last cut off there; in order. Between the ends all begin on a quarter of an hour. A day has as many hours as its clock gives it.';
