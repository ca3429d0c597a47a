CREATE OR REPLACE FUNCTION fn_states_validity(
  p_states entitlement_state[], p_account_id uuid, p_resource text, p_at timestamptz, OUT valid_from timestamptz, OUT valid_until timestamptz
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT coalesce(max(b.at) FILTER (WHERE b.at <= p_at), '-infinity'), coalesce(min(b.at) FILTER (WHERE b.at > p_at), 'infinity')
  INTO valid_from, valid_until
  FROM (
    SELECT unnest(ARRAY[s.window_start, s.window_end]) AS at FROM unnest(p_states) s
    UNION ALL
    SELECT unnest(ARRAY[e.effective_start, e.effective_end, e.revoked_at]) FROM entitlements e
    WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource
  ) b;
END $$;
COMMENT ON FUNCTION fn_states_validity IS 'From when until when the same entitlements and windows are in force as at p_at.';
