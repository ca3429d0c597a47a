CREATE OR REPLACE FUNCTION fn_commit_reservation(p_reservation_id uuid, p_quantity numeric DEFAULT NULL, p_metadata jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_reservation reservations := fn_reservation_locked(p_reservation_id);
BEGIN
  PERFORM fn_require_metadata(p_metadata);
  RETURN fn_reservation_commit(v_reservation, v_reservation.account_id::text, p_quantity, p_metadata) -> 'entry' ->> 'entry_id';
END $$;
COMMENT ON FUNCTION fn_commit_reservation IS
'Records what a reservation was used for (default: all that it held) and ends it; gives the id of the ledger entry, null for the quantity 0. Errors as POST /v1/reservations/{id}/commit.';
