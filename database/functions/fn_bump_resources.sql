CREATE OR REPLACE FUNCTION fn_bump_resources(p_keys resource_state[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- First all that are absent, then all the locks, as fn_meter_batch does: who made a row while holding an earlier one,
  -- and who made it first and wants the earlier one then, would wait for each other.
  INSERT INTO resource_state (account_id, resource_type_code)
  SELECT DISTINCT k.account_id, k.resource_type_code COLLATE "C" FROM unnest(p_keys) k
  WHERE NOT EXISTS (SELECT FROM resource_state s WHERE s.account_id = k.account_id AND s.resource_type_code = k.resource_type_code)
  ORDER BY 1, 2 ON CONFLICT DO NOTHING;
  PERFORM FROM resource_state s
  WHERE (s.account_id, s.resource_type_code) IN (SELECT k.account_id, k.resource_type_code FROM unnest(p_keys) k)
  ORDER BY s.account_id, s.resource_type_code FOR UPDATE;
  UPDATE resource_state s SET key_version = s.key_version + 1
  WHERE (s.account_id, s.resource_type_code) IN (SELECT k.account_id, k.resource_type_code FROM unnest(p_keys) k);
  PERFORM fn_note(jsonb_build_object('account_id', k.account_id, 'resource', k.resource_type_code)) FROM unnest(p_keys) k;
END $$;
COMMENT ON FUNCTION fn_bump_resources IS
'Bumps and notes the versions of several (account, resource), made where absent, locked in the one order: by account_id, then resource.';
