CREATE OR REPLACE FUNCTION fn_require_text(p_text text, p_param text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF coalesce(length(p_text), 0) NOT BETWEEN 1 AND 255 OR p_text ~ '[\u0001-\u001f\u007f-\u009f]' THEN
    PERFORM fn_fail(400, 'invalid_parameter', format('%s must have 1 to 255 characters, none of them a control character', p_param), p_param);
  END IF;
END $$;
COMMENT ON FUNCTION fn_require_text IS 'ME400 invalid_parameter for what SQL users write and HTTP would not have taken as a name or key.';
