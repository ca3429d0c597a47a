CREATE OR REPLACE FUNCTION fn_lock_resource(p_account_id uuid, p_resource text, p_create boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource FOR UPDATE;
  IF NOT FOUND AND p_create THEN
    INSERT INTO resource_state (account_id, resource_type_code) VALUES (p_account_id, p_resource) ON CONFLICT DO NOTHING;
    PERFORM FROM resource_state s WHERE s.account_id = p_account_id AND s.resource_type_code = p_resource FOR UPDATE;
  END IF;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION fn_lock_resource IS
'Takes the lock of one (account, resource) until the end of the transaction; a command that needs several takes them by (account_id, resource). False: there is no such row, hence no entitlement, use or lease, and p_create was not asked for. Waits up to lock_timeout.';
