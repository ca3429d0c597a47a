CREATE OR REPLACE FUNCTION api_reservation_commit(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{meter}', p_credential ->> 'account');
  v_reservation reservations := fn_reservation_locked((p_request ->> 'reservation_id')::uuid, v_namespace.namespace_id);
BEGIN
  PERFORM fn_confine(p_credential, v_namespace, v_reservation.account_id);
  RETURN fn_reservation_commit(v_reservation, fn_account_label(v_reservation.account_id),
    (p_request ->> 'quantity')::numeric, p_request -> 'metadata');
END $$;
COMMENT ON FUNCTION api_reservation_commit IS 'POST /v1/reservations/{id}/commit: reservation, entry, state, duplicate.';
