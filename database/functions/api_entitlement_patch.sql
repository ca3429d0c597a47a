CREATE OR REPLACE FUNCTION api_entitlement_patch(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{admin}', p_credential ->> 'account');
  v_entitlement entitlements := fn_entitlement_locked(p_credential, v_namespace, (p_request ->> 'entitlement_id')::uuid);
BEGIN
  IF p_request ? 'effective_end' AND (p_request ->> 'effective_end')::timestamptz <= v_entitlement.effective_start THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'effective_end must be after effective_start', 'effective_end');
  END IF;
  IF p_request ? 'effective_end' AND v_entitlement.window_class = 'none' AND fn_window_closed(v_namespace, v_entitlement.account_id,
    v_entitlement.resource_type_code, v_entitlement.bucket_id, 'infinity', fn_now(v_namespace.namespace_id))
  THEN
    PERFORM fn_fail(409, 'window_closed', 'the entitlement ended, and what was used of it is settled: grant a new one', 'effective_end');
  END IF;
  -- Two in force at once on one counter would each grant what the other's use had left.
  IF p_request ? 'effective_end' AND EXISTS (
    SELECT FROM entitlements o
    WHERE o.account_id = v_entitlement.account_id AND o.resource_type_code = v_entitlement.resource_type_code
      AND o.bucket_id = v_entitlement.bucket_id AND o.revoked_at IS NULL AND o.effective_start > v_entitlement.effective_start
      AND o.effective_start < coalesce((p_request ->> 'effective_end')::timestamptz, 'infinity')
  ) THEN
    PERFORM fn_fail(409, 'entitlement_replaced', 'a change of plan puts another in its place before then: change the subscription', 'effective_end');
  END IF;
  UPDATE entitlements e SET
    quantity_allowed = CASE WHEN p_request ? 'quantity' THEN (p_request ->> 'quantity')::numeric ELSE e.quantity_allowed END,
    effective_end = CASE WHEN p_request ? 'effective_end' THEN (p_request ->> 'effective_end')::timestamptz ELSE e.effective_end END,
    priority = coalesce((p_request ->> 'priority')::int, e.priority),
    rollover_max_quantity = CASE WHEN p_request ? 'rollover_max_quantity' THEN (p_request ->> 'rollover_max_quantity')::numeric ELSE e.rollover_max_quantity END,
    rollover_percent = CASE WHEN p_request ? 'rollover_percent' THEN (p_request ->> 'rollover_percent')::numeric ELSE e.rollover_percent END
  WHERE e.entitlement_id = v_entitlement.entitlement_id RETURNING e.* INTO v_entitlement;
  RETURN fn_entitlement_json(v_entitlement, fn_account_label(v_entitlement.account_id), fn_now(v_namespace.namespace_id));
END $$;
COMMENT ON FUNCTION api_entitlement_patch IS 'PATCH /v1/entitlements/{id}: quantity, effective_end, priority, rollover; what the request leaves out stays.';
