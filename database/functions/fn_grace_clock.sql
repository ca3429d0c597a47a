CREATE OR REPLACE FUNCTION fn_grace_clock(p_account_id uuid, p_resource text, p_limit_kind text, p_over numeric, p_at timestamptz)
RETURNS TABLE (exceeded_at timestamptz)
LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT c.exceeded_at
  FROM resource_state s
  CROSS JOIN LATERAL (
    SELECT CASE p_limit_kind WHEN 'cumulative' THEN s.cumulative_exceeded_at
                             WHEN 'inventory' THEN s.inventory_exceeded_at
                             WHEN 'concurrency' THEN s.concurrency_exceeded_at END AS exceeded_at,
           CASE p_limit_kind WHEN 'cumulative' THEN s.cumulative_grace_end END AS ends_at
  ) c
  WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource
    AND c.exceeded_at <= p_at
    -- It ends with the window it was set in; where none ends, it ends when the use falls back under the limit.
    AND CASE WHEN c.ends_at IS NULL THEN p_over > 0 ELSE p_at < c.ends_at END
$$;
COMMENT ON FUNCTION fn_grace_clock IS
'Since when the limit has been exceeded, as far as grace is concerned. No row: it has not.';
