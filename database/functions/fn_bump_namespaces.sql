CREATE OR REPLACE FUNCTION fn_bump_namespaces(p_namespace_ids text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_namespace_id text;
BEGIN
  FOR v_namespace_id IN
    SELECT n.namespace_id FROM namespaces n
    WHERE n.namespace_id = ANY (p_namespace_ids) OR array_position(p_namespace_ids, NULL) IS NOT NULL
    ORDER BY n.namespace_id COLLATE "C"
  LOOP
    UPDATE namespaces n SET config_version = n.config_version + 1 WHERE n.namespace_id = v_namespace_id;
    PERFORM fn_note(jsonb_build_object('namespace', v_namespace_id));
  END LOOP;
END $$;
COMMENT ON FUNCTION fn_bump_namespaces IS
'Bumps and notes the configuration version of namespaces, in order of their ids; a null among them means all.';
