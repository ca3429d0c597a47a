CREATE OR REPLACE FUNCTION fn_require_rollover(p_window_class text, p_max_quantity numeric, p_percent numeric) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_param text := CASE WHEN p_percent IS NULL THEN 'rollover_max_quantity' ELSE 'rollover_percent' END;
BEGIN
  IF coalesce(p_max_quantity, p_percent) IS NOT NULL AND coalesce(p_window_class, '') NOT IN ('calendar', 'anchored') THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'rollover needs a window that resets: a calendar one, or one from an anchor', v_param);
  END IF;
  IF p_max_quantity IN ('NaN', 'Infinity') THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'rollover_max_quantity must be a number, or null for no bound', 'rollover_max_quantity');
  END IF;
END $$;
COMMENT ON FUNCTION fn_require_rollover IS
'ME400 invalid_parameter (rollover_percent, rollover_max_quantity) where rollover is given to what has no window that follows on another.';
