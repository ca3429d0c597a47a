CREATE OR REPLACE FUNCTION fn_bucket_usage_at(
  p_account_id uuid, p_resource text, p_bucket_id uuid, p_after timestamptz, p_to timestamptz, p_as_of boolean,
  OUT quantity numeric, OUT overage numeric
) LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
  SELECT u.quantity, u.overage INTO quantity, overage
  FROM fn_bucket_usage(p_account_id, p_resource, p_bucket_id, p_after, p_to) u;
  IF p_as_of THEN
    -- A reversal counts from when it was recorded.
    SELECT fn_bucket_usage_at.quantity - coalesce(sum(a.included_quantity + a.overage_quantity + a.excess_quantity), 0),
           fn_bucket_usage_at.overage - coalesce(sum(a.overage_quantity), 0)
    INTO quantity, overage
    FROM consumption_ledger l JOIN consumption_allocations a USING (entry_id)
    WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.entry_kind = 'reversal' AND l.recorded_at > p_to
      AND a.bucket_id = p_bucket_id AND a.counted_at > p_after AND a.counted_at <= p_to;
  END IF;
END $$;
COMMENT ON FUNCTION fn_bucket_usage_at IS
'fn_bucket_usage; with p_as_of as it was known at p_to, so without the reversals recorded after.';
