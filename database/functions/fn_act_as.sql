CREATE OR REPLACE FUNCTION fn_act_as(p_actor text, p_request_id text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('mec.actor', p_actor, true), set_config('mec.request_id', coalesce(p_request_id, ''), true);
END $$;
COMMENT ON FUNCTION fn_act_as IS
'Tells the audit trail who makes this transaction''s changes, and for which request; untold, it is the database role.';
