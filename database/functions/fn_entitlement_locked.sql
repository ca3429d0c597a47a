CREATE OR REPLACE FUNCTION fn_entitlement_locked(p_credential jsonb, p_namespace namespaces, p_entitlement_id uuid) RETURNS entitlements
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_entitlement entitlements;
BEGIN
  SELECT e.* INTO v_entitlement FROM entitlements e JOIN accounts a USING (account_id)
  WHERE e.entitlement_id = p_entitlement_id AND a.namespace_id = p_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such entitlement', 'entitlement_id');
  END IF;
  PERFORM fn_confine(p_credential, p_namespace, v_entitlement.account_id);
  PERFORM fn_lock_resource(v_entitlement.account_id, v_entitlement.resource_type_code, true);
  SELECT e.* INTO v_entitlement FROM entitlements e WHERE e.entitlement_id = p_entitlement_id;
  RETURN v_entitlement;
END $$;
COMMENT ON FUNCTION fn_entitlement_locked IS 'An entitlement as it stands once its resource is locked. ME404 not_found, ME403 account_forbidden.';
