CREATE OR REPLACE FUNCTION fn_jobs_namespace(p_credential jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF p_credential ->> 'type' = 'cron' THEN
    PERFORM fn_act_as('cron', p_credential ->> 'request_id');
    RETURN NULL;
  END IF;
  RETURN (fn_authorize(p_credential, '{admin}', NULL)).namespace_id;
END $$;
COMMENT ON FUNCTION fn_jobs_namespace IS
'Of which namespace a caller runs jobs: an admin of its own, the Worker''s cron (the credential {type: cron}, which no request has) of all (null). ME401, ME403.';
