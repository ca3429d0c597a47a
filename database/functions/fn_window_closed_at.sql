CREATE OR REPLACE FUNCTION fn_window_closed_at(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_bucket_id uuid, p_window_end timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_ends_at timestamptz := fn_window_ends_at(p_account_id, p_resource, p_bucket_id, p_window_end);
  v_closes_at timestamptz := v_ends_at + p_namespace.late_arrival_grace;
BEGIN
  -- A hold lasts a day at most. What a commit records is dated within the window, whenever it was made.
  RETURN greatest(v_closes_at, (
    SELECT max(least(a.held_until, coalesce(l.recorded_at, r.ended_at, r.expires_at)))
    FROM reservations r JOIN reservation_allocations a USING (reservation_id) LEFT JOIN consumption_ledger l USING (entry_id)
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource
      AND r.reserved_at > v_closes_at - interval '24 hours' AND r.reserved_at <= v_ends_at
      AND a.bucket_id = p_bucket_id AND a.window_end = p_window_end));
END $$;
COMMENT ON FUNCTION fn_window_closed_at IS
'The instant at which a window that is closed (fn_window_closed) was: its end + the namespace''s late-arrival grace, or when the last hold on it ended, if that was later. No job has a part in it.';
