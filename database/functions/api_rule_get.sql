CREATE OR REPLACE FUNCTION api_rule_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read}', p_credential ->> 'account');
  v_rule control_rules;
BEGIN
  SELECT r.* INTO v_rule FROM control_rules r
  WHERE r.rule_id = (p_request ->> 'rule_id')::uuid AND r.namespace_id = v_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such rule', 'rule_id');
  END IF;
  PERFORM fn_confine(p_credential, v_namespace, v_rule.account_id);
  RETURN fn_rule_json(v_rule);
END $$;
COMMENT ON FUNCTION api_rule_get IS 'GET /v1/rules/{id}.';
