CREATE OR REPLACE FUNCTION api_namespace_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
BEGIN
  PERFORM fn_authorize_operator(p_credential);
  INSERT INTO namespaces (namespace_id, is_sandbox, raw_uuids, late_arrival_grace, created_at)
  VALUES (p_request ->> 'namespace', coalesce((p_request ->> 'is_sandbox')::boolean, false), coalesce((p_request ->> 'raw_uuids')::boolean, false),
    make_interval(secs => coalesce((p_request ->> 'late_arrival_grace_seconds')::int, 3600)), date_trunc('milliseconds', clock_timestamp()))
  ON CONFLICT DO NOTHING RETURNING * INTO v_namespace;
  IF NOT FOUND THEN
    PERFORM fn_fail(409, 'already_exists', 'the namespace exists', 'namespace');
  END IF;
  RETURN jsonb_build_object('namespace', fn_namespace_json(v_namespace),
    'key', fn_key_json(fn_key_create(v_namespace.namespace_id, 'admin', '{admin}', p_request ->> 'key_hash', p_request ->> 'key_prefix')));
END $$;
COMMENT ON FUNCTION api_namespace_create IS 'POST /v1/namespaces: a namespace and its first admin key.';
