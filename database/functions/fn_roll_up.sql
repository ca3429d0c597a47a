CREATE OR REPLACE FUNCTION fn_roll_up(
  p_account_id uuid, p_resource text, p_bucket_id uuid, p_counted_at timestamptz, p_quantity numeric, p_overage numeric
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_slot int := fn_quarter(p_counted_at);
BEGIN
  INSERT INTO usage_rollups AS r (account_id, resource_type_code, bucket_id, day, quantity, overage_quantity, quarters, overage_quarters)
  VALUES (p_account_id, p_resource, p_bucket_id, (p_counted_at AT TIME ZONE 'UTC')::date, p_quantity, p_overage,
    array_fill(p_quantity, ARRAY[1], ARRAY[v_slot]), array_fill(nullif(p_overage, 0), ARRAY[1], ARRAY[v_slot]))
  ON CONFLICT (account_id, resource_type_code, bucket_id, day) DO UPDATE SET
    quantity = r.quantity + excluded.quantity,
    overage_quantity = r.overage_quantity + excluded.overage_quantity,
    quarters[v_slot] = coalesce(r.quarters[v_slot], 0) + p_quantity,
    -- Mostly there is none: null takes no room.
    overage_quarters[v_slot] = nullif(coalesce(r.overage_quarters[v_slot], 0) + p_overage, 0);
  RETURN true;
END $$;
COMMENT ON FUNCTION fn_roll_up IS 'Adds a use to its quarter of an hour (1 to 96 of its UTC day), in its bucket.';
