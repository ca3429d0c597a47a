CREATE OR REPLACE FUNCTION fn_leases_mark_expired(p_account_id uuid, p_resource text, p_now timestamptz) RETURNS int
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_ended int;
BEGIN
  UPDATE concurrency_leases l SET end_status = 'expired', ended_at = l.expires_at
  WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.ended_at IS NULL AND l.expires_at <= p_now;
  GET DIAGNOSTICS v_ended = ROW_COUNT;
  RETURN v_ended;
END $$;
COMMENT ON FUNCTION fn_leases_mark_expired IS
'Records that leases of an (account, resource), locked by the caller, have ended at their expiry; changes no answer. Gives their number.';
