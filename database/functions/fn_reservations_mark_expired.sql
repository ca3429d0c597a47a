CREATE OR REPLACE FUNCTION fn_reservations_mark_expired(p_account_id uuid, p_resource text, p_now timestamptz) RETURNS int
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_ended int;
BEGIN
  UPDATE reservations r SET end_status = 'expired', ended_at = r.expires_at
  WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.ended_at IS NULL AND r.expires_at <= p_now;
  GET DIAGNOSTICS v_ended = ROW_COUNT;
  RETURN v_ended;
END $$;
COMMENT ON FUNCTION fn_reservations_mark_expired IS
'Records that reservations of an (account, resource), locked by the caller, have ended at their expiry; changes no answer. Gives their number.';
