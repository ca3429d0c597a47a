CREATE OR REPLACE FUNCTION fn_reservation_json(p_reservation reservations, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'reservation_id', p_reservation.reservation_id, 'account_id', p_account, 'resource', p_reservation.resource_type_code,
    'scope', p_reservation.resource_scope, 'quantity', fn_number(p_reservation.quantity),
    'status', fn_reservation_status(p_reservation, p_now),
    'reserved_at', fn_rfc3339(p_reservation.reserved_at), 'expires_at', fn_rfc3339(p_reservation.expires_at),
    'ended_at', fn_rfc3339(coalesce(p_reservation.ended_at, CASE WHEN p_reservation.expires_at <= p_now THEN p_reservation.expires_at END)),
    'committed_quantity', fn_number(p_reservation.committed_quantity), 'entry_id', p_reservation.entry_id)
$$;
COMMENT ON FUNCTION fn_reservation_json IS 'A reservation as answers show it. p_account: the account as the caller writes it.';
