CREATE OR REPLACE FUNCTION fn_window_json(p_window_type text, p_start timestamptz, p_end timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE WHEN p_window_type IS NOT NULL
    THEN jsonb_build_object('type', p_window_type, 'start', fn_rfc3339(p_start), 'end', fn_rfc3339(p_end)) END;
END $$;
COMMENT ON FUNCTION fn_window_json IS 'A window as answers show it; null where the limit kind has none.';
