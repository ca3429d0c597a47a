CREATE OR REPLACE FUNCTION fn_bump_resources(p_keys resource_state[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_key record;
BEGIN
  FOR v_key IN
    SELECT DISTINCT k.account_id, k.resource_type_code COLLATE "C" AS resource_type_code FROM unnest(p_keys) k ORDER BY 1, 2
  LOOP
    PERFORM fn_lock_resource(v_key.account_id, v_key.resource_type_code, true);
    UPDATE resource_state s SET key_version = s.key_version + 1
    WHERE s.account_id = v_key.account_id AND s.resource_type_code = v_key.resource_type_code;
  END LOOP;
END $$;
COMMENT ON FUNCTION fn_bump_resources IS
'Bumps the versions of several (account, resource), made where absent, locked in the one order: by account_id, then resource.';
