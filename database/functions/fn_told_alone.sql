CREATE OR REPLACE FUNCTION fn_told_alone(p_snapshot jsonb, p_account text, p_account_id uuid) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN jsonb_build_array(jsonb_build_object(
    'namespace', p_snapshot -> 'namespace', 'config_version', p_snapshot -> 'config_version',
    'clock_offset_ms', p_snapshot -> 'clock_offset_ms', 'revoked_keys', '[]'::jsonb,
    'keys', jsonb_build_array(jsonb_build_object(
      -- A UUID that is used as it is has one name, however it was written.
      'account_id', CASE WHEN lower(p_account) = p_account_id::text THEN p_account_id::text ELSE p_account END,
      'resource', p_snapshot -> 'resource', 'key_version', p_snapshot -> 'key_version', 'snapshot', p_snapshot, 'holders', NULL))));
END $$;
COMMENT ON FUNCTION fn_told_alone IS
'The `changes` of a command that moved one key and knows the snapshot after it: without asking anything, for the hottest path. p_account: as its caller writes it.';
