CREATE OR REPLACE FUNCTION api_rule_create(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_request ->> 'account_id');
  v_type resource_types := fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  v_account_id uuid;
  v_key text := p_request ->> 'idempotency_key';
  v_key_owner uuid;
  -- What is left out is what it is by default.
  v_hash bytea := fn_request_hash((jsonb_strip_nulls(p_request - 'idempotency_key')
    - CASE WHEN p_request ->> 'on_error' = 'deny' THEN 'on_error' ELSE '' END)::text);
  v_result jsonb;
  v_rule control_rules;
BEGIN
  IF p_request ->> 'plan_id' IS NOT NULL AND NOT EXISTS (
    SELECT FROM plans p WHERE p.namespace_id = v_namespace.namespace_id AND p.plan_id = p_request ->> 'plan_id'
  ) THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such plan', 'plan_id');
  END IF;
  IF p_request ->> 'account_id' IS NOT NULL THEN
    v_account_id := fn_account_ensure(v_namespace, p_request ->> 'account_id');
    PERFORM fn_lock_resource(v_account_id, v_type.resource_type_code, true);
  END IF;
  IF v_key IS NOT NULL THEN
    -- A rule of no account keeps its key with the namespace, as no account's string is empty.
    IF v_account_id IS NULL THEN
      PERFORM FROM namespaces n WHERE n.namespace_id = v_namespace.namespace_id FOR UPDATE;
    END IF;
    v_key_owner := coalesce(v_account_id, uuid_generate_v5(v_namespace.account_seed, ''));
    v_result := fn_replay(v_key_owner, v_key, 'rule', v_hash);
    IF v_result IS NOT NULL THEN
      RETURN v_result || jsonb_build_object('account_id', p_request ->> 'account_id', 'duplicate', true);
    END IF;
  END IF;
  INSERT INTO control_rules (namespace_id, account_id, plan_id, resource_type_code, limit_kind_code, limit_action_code, warn_at_percent,
    overage_multiplier, overage_cap, grace_percent, grace_seconds, on_error)
  VALUES (v_namespace.namespace_id, v_account_id, p_request ->> 'plan_id', v_type.resource_type_code, p_request ->> 'limit_kind',
    p_request ->> 'action', (p_request ->> 'warn_at_percent')::numeric, (p_request ->> 'overage_multiplier')::numeric,
    (p_request ->> 'overage_cap')::numeric, (p_request ->> 'grace_percent')::numeric, (p_request ->> 'grace_seconds')::bigint,
    coalesce(p_request ->> 'on_error', 'deny'))
  RETURNING * INTO v_rule;
  v_result := fn_rule_json(v_rule) - 'account_id';
  IF v_key IS NOT NULL THEN
    PERFORM fn_remember(v_key_owner, v_key, 'rule', v_hash, v_result, v_rule.created_at);
  END IF;
  RETURN v_result || jsonb_build_object('account_id', p_request ->> 'account_id', 'duplicate', false);
END $$;
COMMENT ON FUNCTION api_rule_create IS 'POST /v1/rules: the rule, and duplicate.';
