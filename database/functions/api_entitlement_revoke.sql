CREATE OR REPLACE FUNCTION api_entitlement_revoke(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_credential ->> 'account');
  v_entitlement entitlements := fn_entitlement_locked(p_credential, v_namespace, (p_request ->> 'entitlement_id')::uuid);
  v_now timestamptz := fn_now(v_namespace.namespace_id);
BEGIN
  UPDATE entitlements e SET revoked_at = v_now, revoke_reason = p_request ->> 'reason'
  WHERE e.entitlement_id = v_entitlement.entitlement_id AND e.revoked_at IS NULL RETURNING e.* INTO v_entitlement;
  IF NOT FOUND THEN
    SELECT e.* INTO v_entitlement FROM entitlements e WHERE e.entitlement_id = (p_request ->> 'entitlement_id')::uuid;
  END IF;
  RETURN fn_entitlement_json(v_entitlement, fn_account_label(v_entitlement.account_id), v_now);
END $$;
COMMENT ON FUNCTION api_entitlement_revoke IS 'POST /v1/entitlements/{id}/revoke: ends it now, for a reason that the audit trail has; again changes nothing.';
