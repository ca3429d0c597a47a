CREATE OR REPLACE FUNCTION fn_release_reservation(p_reservation_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_held boolean := EXISTS (SELECT FROM reservations r WHERE r.reservation_id = p_reservation_id);
BEGIN
  IF v_held THEN
    PERFORM fn_reservation_release(fn_reservation_locked(p_reservation_id));
  END IF;
  RETURN v_held;
END $$;
COMMENT ON FUNCTION fn_release_reservation IS
'Frees what a reservation holds; true also when it had ended before, false for an unknown one. ME409 already_committed.';
