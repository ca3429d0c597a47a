CREATE OR REPLACE FUNCTION api_rule_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
  v_account_id uuid;
  v_cursor text[] := fn_cursor(p_request, '{bigint}');
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  p_request := jsonb_build_object('account_id', p_credential -> 'account') || jsonb_strip_nulls(p_request);
  v_namespace := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  IF p_request ->> 'resource' IS NOT NULL THEN
    PERFORM fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  END IF;
  IF p_request ->> 'account_id' IS NOT NULL THEN
    v_account_id := fn_account_uuid(v_namespace, p_request ->> 'account_id');
  END IF;
  SELECT array_agg(fn_rule_json(r::control_rules) ORDER BY r.rule_number DESC), array_agg(jsonb_build_array(r.rule_number) ORDER BY r.rule_number DESC)
  INTO v_rows, v_keys
  FROM (
    SELECT * FROM control_rules r
    WHERE r.namespace_id = v_namespace.namespace_id AND (v_account_id IS NULL OR r.account_id = v_account_id)
      AND (p_request ->> 'resource' IS NULL OR r.resource_type_code = p_request ->> 'resource')
      AND (p_request ->> 'plan_id' IS NULL OR r.plan_id = p_request ->> 'plan_id')
      AND (v_cursor IS NULL OR r.rule_number < v_cursor[1]::bigint)
    ORDER BY r.rule_number DESC LIMIT fn_page_limit(p_request) + 1
  ) r;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_rule_list IS 'GET /v1/rules: newest first. ME400 unknown_resource.';
