CREATE OR REPLACE FUNCTION fn_fail(p_status int, p_code text, p_message text, p_param text DEFAULT NULL, p_extra jsonb DEFAULT '{}')
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'ME' || p_status, MESSAGE = p_message,
    DETAIL = (jsonb_build_object('code', p_code, 'param', p_param) || p_extra)::text;
END $$;
COMMENT ON FUNCTION fn_fail IS
'Raises an error of ours: SQLSTATE ME + the HTTP status, a message for people, and {"code","param"} as the detail. Nothing of the statement remains.';
