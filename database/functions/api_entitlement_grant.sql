CREATE OR REPLACE FUNCTION api_entitlement_grant(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  v_account_id uuid := fn_account_ensure(v_namespace, p_request ->> 'account_id');
  v_key text := p_request ->> 'idempotency_key';
  -- A default that is given is one that is left out.
  v_hash bytea := fn_request_hash(p_request ->> 'resource', p_request ->> 'scope', p_request ->> 'limit_kind', p_request ->> 'quantity',
    nullif(p_request ->> 'unit', v_type.unit_code), nullif(p_request ->> 'window', 'none'), nullif(p_request ->> 'priority', '100'),
    p_request ->> 'effective_start', p_request ->> 'effective_end', p_request ->> 'rollover_max_quantity', p_request ->> 'rollover_percent');
  v_now timestamptz;
  v_answer jsonb;
  v_entitlement entitlements;
BEGIN
  PERFORM fn_lock_resource(v_account_id, v_type.resource_type_code, true);
  v_now := fn_now(v_namespace.namespace_id);
  v_answer := fn_replay_grants(v_account_id, p_request ->> 'account_id', v_key, 'grant', v_hash, v_now);
  IF v_answer IS NULL THEN
    IF coalesce((p_request ->> 'effective_end')::timestamptz <= coalesce((p_request ->> 'effective_start')::timestamptz, v_now), false) THEN
      PERFORM fn_fail(400, 'invalid_parameter', 'effective_end must be after effective_start', 'effective_end');
    END IF;
    INSERT INTO entitlements (entitlement_id, account_id, resource_type_code, resource_scope, limit_kind_code, quantity_allowed, unit_code,
      window_type_code, priority, effective_start, effective_end, metadata, created_at, rollover_max_quantity, rollover_percent)
    VALUES (fn_uuid7(), v_account_id, v_type.resource_type_code, p_request ->> 'scope', p_request ->> 'limit_kind',
      (p_request ->> 'quantity')::numeric, p_request ->> 'unit', p_request ->> 'window', coalesce((p_request ->> 'priority')::int, 100),
      coalesce((p_request ->> 'effective_start')::timestamptz, v_now), (p_request ->> 'effective_end')::timestamptz,
      coalesce(nullif(p_request -> 'metadata', 'null'), '{}'), v_now,
      (p_request ->> 'rollover_max_quantity')::numeric, (p_request ->> 'rollover_percent')::numeric)
    RETURNING * INTO v_entitlement;
    v_answer := jsonb_build_object('entitlements', jsonb_build_array(fn_entitlement_json(v_entitlement, p_request ->> 'account_id', v_now)));
    v_answer := fn_remember_grants(v_account_id, v_key, 'grant', v_hash, v_answer, v_now);
  END IF;
  RETURN (v_answer #> '{entitlements,0}') || jsonb_build_object('duplicate', v_answer -> 'duplicate');
END $$;
COMMENT ON FUNCTION api_entitlement_grant IS 'POST /v1/entitlements: a grant by hand: the entitlement, and duplicate.';
