CREATE OR REPLACE FUNCTION api_reservation_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read,meter}', p_credential ->> 'account');
  v_reservation reservations;
BEGIN
  SELECT r.* INTO v_reservation FROM reservations r
  WHERE r.reservation_id = (p_request ->> 'reservation_id')::uuid AND r.namespace_id = v_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such reservation', 'reservation_id');
  END IF;
  PERFORM fn_confine(p_credential, v_namespace, v_reservation.account_id);
  RETURN jsonb_build_object('reservation',
    fn_reservation_json(v_reservation, fn_account_label(v_reservation.account_id), fn_now(v_namespace.namespace_id)));
END $$;
COMMENT ON FUNCTION api_reservation_get IS 'GET /v1/reservations/{id}.';
