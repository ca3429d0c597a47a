CREATE OR REPLACE FUNCTION api_rule_delete(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_credential ->> 'account');
  v_rule control_rules := fn_rule_of(p_credential, v_namespace, (p_request ->> 'rule_id')::uuid);
BEGIN
  DELETE FROM control_rules r WHERE r.rule_id = v_rule.rule_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such rule', 'rule_id');
  END IF;
  RETURN fn_rule_json(v_rule);
END $$;
COMMENT ON FUNCTION api_rule_delete IS 'DELETE /v1/rules/{id}: the rule as it was.';
