CREATE OR REPLACE FUNCTION fn_reservation_release(p_reservation reservations) RETURNS reservations
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := fn_now(p_reservation.namespace_id);
BEGIN
  IF p_reservation.end_status = 'committed' THEN
    PERFORM fn_fail(409, 'already_committed', 'the reservation is committed: reverse its entry to take the usage back');
  END IF;
  IF p_reservation.ended_at IS NULL THEN
    UPDATE reservations r SET
      end_status = CASE WHEN r.expires_at > v_now THEN 'released' ELSE 'expired' END, ended_at = least(r.expires_at, v_now)
    WHERE r.reservation_id = p_reservation.reservation_id RETURNING r.* INTO p_reservation;
    PERFORM fn_touch_resource(p_reservation.account_id, p_reservation.resource_type_code, v_now, '', NULL, false, false);
  END IF;
  RETURN p_reservation;
END $$;
COMMENT ON FUNCTION fn_reservation_release IS
'Frees what a reservation, locked by the caller, holds; one that ended before stays as it ended. ME409 already_committed.';
