CREATE OR REPLACE FUNCTION fn_recorded_multiplier(p_entitlement entitlements, p_window_start timestamptz, p_window_end timestamptz) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- Its uses lie between its start and that of its successor: the first row that is looked at is one.
  RETURN (
    SELECT a.overage_multiplier FROM consumption_allocations a
    WHERE a.bucket_id = p_entitlement.bucket_id AND a.entitlement_id = p_entitlement.entitlement_id
      AND a.counted_at >= greatest(p_window_start, p_entitlement.effective_start)
      AND a.counted_at < least(p_window_end, fn_handed_on_at(p_entitlement))
    ORDER BY a.counted_at DESC, a.entry_id DESC LIMIT 1);
END $$;
COMMENT ON FUNCTION fn_recorded_multiplier IS 'The multiplier of an entitlement''s newest use in a window; null: there was none.';
