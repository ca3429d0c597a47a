CREATE OR REPLACE FUNCTION fn_error(p_status int, p_code text, p_message text, p_param text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('status', p_status, 'code', p_code, 'message', p_message, 'param', p_param)
$$;
COMMENT ON FUNCTION fn_error IS 'An error of one item of a batch, which must not fail the others.';
