CREATE OR REPLACE FUNCTION fn_usage_between(
  p_account_id uuid, p_resource text, p_since timestamptz, p_until timestamptz, OUT quantity numeric, OUT overage numeric
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_since < p_until THEN
    SELECT sum(l.quantity), sum(l.overage_quantity) INTO quantity, overage FROM consumption_ledger l
    WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.occurred_at >= p_since AND l.occurred_at < p_until;
  END IF;
END $$;
COMMENT ON FUNCTION fn_usage_between IS 'Usage by occurred_at, from the ledger itself: for spans so short that the rollups do not have them. Null: none.';
