CREATE OR REPLACE FUNCTION fn_continues(p_next continuation, p_key_version bigint, p_config_version bigint, p_scope text, p_at timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(p_next.key_version = p_key_version AND p_next.config_version = p_config_version
    AND p_next.scope IS NOT DISTINCT FROM p_scope AND p_at >= p_next.valid_from AND p_at < p_next.valid_until, false)
$$;
COMMENT ON FUNCTION fn_continues IS
'Whether what a consume left (docs/adr/0004) still is the state: nothing has changed since but the counts within its room, and no time that changes anything has come.';
