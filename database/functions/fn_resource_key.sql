CREATE OR REPLACE FUNCTION fn_resource_key(p_account_id uuid, p_resource text) RETURNS resource_state
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_key resource_state;
BEGIN
  v_key.account_id := p_account_id;
  v_key.resource_type_code := p_resource;
  RETURN v_key;
END $$;
COMMENT ON FUNCTION fn_resource_key IS 'Names an (account, resource), for what takes several of them: nothing else is in it.';
