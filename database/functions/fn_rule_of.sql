CREATE OR REPLACE FUNCTION fn_rule_of(p_credential jsonb, p_namespace namespaces, p_rule_id uuid) RETURNS control_rules
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_rule control_rules;
BEGIN
  SELECT r.* INTO v_rule FROM control_rules r WHERE r.rule_id = p_rule_id AND r.namespace_id = p_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such rule', 'rule_id');
  END IF;
  PERFORM fn_confine(p_credential, p_namespace, v_rule.account_id);
  IF v_rule.account_id IS NOT NULL THEN
    PERFORM fn_lock_resource(v_rule.account_id, v_rule.resource_type_code, true);
  END IF;
  RETURN v_rule;
END $$;
COMMENT ON FUNCTION fn_rule_of IS 'A rule about to be changed; its resource is locked if it is one account''s. ME404 not_found, ME403 account_forbidden.';
