CREATE OR REPLACE FUNCTION fn_count_parts(p_account_id uuid, p_resource text, p_allocations usage_allocation[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO entitlement_window_parts AS w (account_id, resource_type_code, window_end, bucket_id, entitlement_id,
    included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount)
  SELECT p_account_id, p_resource, a.window_end, a.bucket_id, a.entitlement_id, sum(a.included_quantity), sum(a.overage_quantity),
    sum(a.excess_quantity), sum(a.billable_quantity), sum(a.billable_quantity * a.overage_multiplier)
  FROM unnest(p_allocations) a WHERE a.entitlement_id <> a.bucket_id
  GROUP BY a.window_end, a.bucket_id, a.entitlement_id
  ON CONFLICT (account_id, resource_type_code, window_end, bucket_id, entitlement_id) DO UPDATE SET
    included_quantity = w.included_quantity + excluded.included_quantity,
    overage_quantity = w.overage_quantity + excluded.overage_quantity,
    excess_quantity = w.excess_quantity + excluded.excess_quantity,
    billable_quantity = w.billable_quantity + excluded.billable_quantity,
    billable_amount = w.billable_amount + excluded.billable_amount;
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_count_parts IS
'Counts for itself what was drawn through an entitlement that took its bucket over from another: what the first one drew is the rest of the bucket''s counter. Each is billed on its own.';
