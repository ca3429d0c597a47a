CREATE OR REPLACE FUNCTION fn_rfc3339(p_instant timestamptz) RETURNS text
LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
  RETURN CASE WHEN isfinite(p_instant) THEN to_char(p_instant AT TIME ZONE 'UTC',
    CASE p_instant
         WHEN p_instant::timestamptz(0) THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
         WHEN p_instant::timestamptz(3) THEN 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
         ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END) END;
END $$;
COMMENT ON FUNCTION fn_rfc3339 IS
'An instant as answers show it: RFC 3339 in UTC, no more fraction than it has. Null for null and for the infinities.';
