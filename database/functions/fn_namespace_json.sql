CREATE OR REPLACE FUNCTION fn_namespace_json(p_namespace namespaces) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('namespace', p_namespace.namespace_id, 'is_sandbox', p_namespace.is_sandbox, 'raw_uuids', p_namespace.raw_uuids,
    'late_arrival_grace_seconds', extract(epoch FROM p_namespace.late_arrival_grace)::bigint, 'created_at', fn_rfc3339(p_namespace.created_at))
$$;
COMMENT ON FUNCTION fn_namespace_json IS 'A namespace as answers show it; its account seed is never shown.';
