CREATE OR REPLACE FUNCTION fn_window_closed(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_bucket_id uuid, p_window_end timestamptz, p_now timestamptz
) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF fn_window_ends_at(p_account_id, p_resource, p_bucket_id, p_window_end) + p_namespace.late_arrival_grace > p_now THEN
    RETURN false;
  END IF;
  RETURN NOT EXISTS (
    SELECT FROM reservations r JOIN reservation_allocations a USING (reservation_id)
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.ended_at IS NULL AND r.expires_at > p_now
      AND a.bucket_id = p_bucket_id AND a.window_end = p_window_end AND a.held_until = 'infinity'
  );
END $$;
COMMENT ON FUNCTION fn_window_closed IS
'Whether a bucket''s window takes no more arrivals, job or no job: its end (without one, the end of the last of its entitlements, by date or revocation) and the namespace''s late-arrival grace have passed, and no live hold draws on it.';
