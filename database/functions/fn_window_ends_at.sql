CREATE OR REPLACE FUNCTION fn_window_ends_at(p_account_id uuid, p_resource text, p_bucket_id uuid, p_window_end timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_window_end < 'infinity' THEN
    RETURN p_window_end;
  END IF;
  RETURN coalesce((
    SELECT max(coalesce(least(e.effective_end, e.revoked_at), 'infinity')) FROM entitlements e
    WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource AND e.bucket_id = p_bucket_id), 'infinity');
END $$;
COMMENT ON FUNCTION fn_window_ends_at IS
'When a bucket''s window ends: a `none` window with the last of its entitlements, by date or revocation; infinity while that is not known.';
