CREATE OR REPLACE FUNCTION fn_reservation_status(p_reservation reservations, p_now timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(p_reservation.end_status, CASE WHEN p_reservation.expires_at > p_now THEN 'held' ELSE 'expired' END)
$$;
COMMENT ON FUNCTION fn_reservation_status IS
'held, committed, released or expired: past expires_at it is expired, whether or not a job has recorded that.';
