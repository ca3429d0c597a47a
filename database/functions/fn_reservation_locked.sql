CREATE OR REPLACE FUNCTION fn_reservation_locked(p_reservation_id uuid, p_namespace_id text DEFAULT NULL) RETURNS reservations
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_reservation reservations;
BEGIN
  SELECT r.* INTO v_reservation FROM reservations r
  WHERE r.reservation_id = p_reservation_id AND (p_namespace_id IS NULL OR r.namespace_id = p_namespace_id);
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such reservation', 'reservation_id');
  END IF;
  PERFORM fn_lock_resource(v_reservation.account_id, v_reservation.resource_type_code, false);
  SELECT r.* INTO v_reservation FROM reservations r WHERE r.reservation_id = p_reservation_id;
  RETURN v_reservation;
END $$;
COMMENT ON FUNCTION fn_reservation_locked IS
'A reservation (of a namespace, if one is given) as it stands once its resource is locked. ME404 not_found.';
