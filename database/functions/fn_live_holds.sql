CREATE OR REPLACE FUNCTION fn_live_holds(p_account_id uuid, p_resource text, p_now timestamptz, p_at timestamptz, p_as_of boolean)
RETURNS SETOF reservations
LANGUAGE plpgsql STABLE ROWS 10 AS $$
BEGIN
  IF p_as_of THEN
    RETURN QUERY
    SELECT r.* FROM reservations r
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource
      -- None lasts longer.
      AND r.reserved_at <= p_at AND r.reserved_at >= p_at - interval '24 hours'
      AND r.expires_at > p_at AND (r.ended_at IS NULL OR r.ended_at > p_at);
  ELSE
    RETURN QUERY
    SELECT r.* FROM reservations r
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.ended_at IS NULL AND r.expires_at > p_now;
  END IF;
END $$;
COMMENT ON FUNCTION fn_live_holds IS
'The reservations of an (account, resource) that hold something: at p_now, or with p_as_of those that held it at p_at. A hold is live while expires_at > p_now.';
