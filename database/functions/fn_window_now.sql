CREATE OR REPLACE FUNCTION fn_window_now(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_bucket_id uuid, p_timezone text, p_now timestamptz,
  OUT window_start timestamptz, OUT window_end timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_last entitlements;
BEGIN
  SELECT w.window_start, w.window_end INTO window_start, window_end FROM entitlement_windows w
  WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource AND w.bucket_id = p_bucket_id
    AND w.window_end > p_now AND w.window_start <= p_now
    AND NOT fn_window_closed(p_namespace, p_account_id, p_resource, p_bucket_id, w.window_end, p_now)
  ORDER BY w.window_end LIMIT 1;
  IF NOT FOUND THEN
    SELECT e.* INTO v_last FROM entitlements e
    WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource AND e.bucket_id = p_bucket_id
    ORDER BY e.effective_start DESC, e.created_at DESC, e.entitlement_id DESC LIMIT 1;
    -- One that never ends and is closed all the same has no next: the calendar month bills what comes after.
    SELECT n.window_start, n.window_end INTO window_start, window_end
    FROM fn_window_next(p_account_id, p_resource, CASE v_last.window_class WHEN 'none' THEN 'rolling' ELSE v_last.window_class END,
      v_last.window_period, v_last.window_anchor, p_timezone, p_now) n;
  END IF;
END $$;
COMMENT ON FUNCTION fn_window_now IS
'The open window of a bucket that holds the present, whether or not an entitlement of it is still in force: what is given back of a closed window is credited there.';
