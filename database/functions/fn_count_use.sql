CREATE OR REPLACE FUNCTION fn_count_use(
  p_account_id uuid, p_resource text, p_bucket_id uuid, p_window_start timestamptz, p_window_end timestamptz,
  p_included numeric, p_overage numeric, p_excess numeric, p_billable numeric, p_amount numeric
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO entitlement_windows AS w (account_id, resource_type_code, window_end, bucket_id, window_start, used,
    included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount)
  VALUES (p_account_id, p_resource, p_window_end, p_bucket_id, p_window_start, p_included + p_overage + p_excess,
    p_included, p_overage, p_excess, p_billable, p_amount)
  ON CONFLICT (account_id, resource_type_code, window_end, bucket_id) DO UPDATE SET
    used = w.used + excluded.used,
    included_quantity = w.included_quantity + excluded.included_quantity,
    overage_quantity = w.overage_quantity + excluded.overage_quantity,
    excess_quantity = w.excess_quantity + excluded.excess_quantity,
    billable_quantity = w.billable_quantity + excluded.billable_quantity,
    billable_amount = w.billable_amount + excluded.billable_amount;
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_count_use IS 'Adds a use to the counter of a bucket''s window; the row begins with the first. Billable amount = quantity × multiplier, in the caller''s price units.';
