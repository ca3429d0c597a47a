CREATE OR REPLACE FUNCTION fn_fail_with(p_error jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF p_error IS NOT NULL THEN
    PERFORM fn_fail((p_error ->> 'status')::int, p_error ->> 'code', p_error ->> 'message', p_error ->> 'param');
  END IF;
END $$;
COMMENT ON FUNCTION fn_fail_with IS 'Raises an item''s error, if it has one.';
