CREATE OR REPLACE FUNCTION api_lease_acquire(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{lease}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  v_account_id uuid := fn_account_uuid(v_namespace, p_request ->> 'account_id');
  v_now timestamptz;
  v_result jsonb;
BEGIN
  v_result := fn_lease_acquire(v_namespace, v_account_id, v_type.resource_type_code, p_request ->> 'scope', p_request ->> 'holder',
    coalesce((p_request ->> 'ttl_seconds')::int, 28800), coalesce((p_request ->> 'units')::int, 1), nullif(p_request -> 'metadata', 'null'));
  v_now := (v_result ->> 'as_of')::timestamptz;
  v_result := v_result || jsonb_build_object('account_id', p_request ->> 'account_id',
    'lease', (SELECT fn_lease_json(l, p_request ->> 'account_id', v_now) FROM concurrency_leases l WHERE l.lease_id = (v_result ->> 'lease_id')::uuid));
  IF NOT (v_result ->> 'allowed')::boolean THEN
    v_result := v_result || jsonb_build_object('holders', coalesce((
      SELECT jsonb_agg(fn_lease_json(l, p_request ->> 'account_id', v_now) ORDER BY l.lease_id)
      FROM (
        SELECT * FROM concurrency_leases l
        WHERE l.account_id = v_account_id AND l.resource_type_code = v_type.resource_type_code
          AND l.ended_at IS NULL AND l.expires_at > v_now
        ORDER BY l.lease_id LIMIT 20
      ) l
    ), '[]'));
    -- Whoever waits for this pool may be denied from it for a moment. Of more leases than are shown, nobody could tell who holds none.
    IF jsonb_array_length(v_result -> 'holders') < 20 THEN
      PERFORM fn_note(jsonb_build_object('account_id', v_account_id, 'resource', v_type.resource_type_code, 'holders', v_result -> 'holders',
        'snapshot', fn_snapshot(v_namespace, v_account_id, v_type.resource_type_code, p_request ->> 'scope', v_now)));
    END IF;
  END IF;
  RETURN v_result - 'lease_id';
END $$;
COMMENT ON FUNCTION api_lease_acquire IS 'POST /v1/leases: decision, lease, renewed; holders (at most 20, oldest first) when denied.';
