CREATE OR REPLACE FUNCTION fn_acquire_lease(
  p_account_id uuid, p_resource_type_code text, p_resource_scope text, p_holder text, p_ttl_minutes int DEFAULT 480, p_units int DEFAULT 1
) RETURNS TABLE (
  granted boolean, lease_id uuid, reason text, expires_at timestamptz, fencing_token bigint, renewed boolean,
  quantity_limit numeric, used numeric, remaining numeric
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_account_namespace(p_account_id);
  v_result jsonb;
BEGIN
  PERFORM fn_resource_type(v_namespace.namespace_id, p_resource_type_code);
  PERFORM fn_require_text(p_holder, 'holder');
  PERFORM fn_require_scope(p_resource_scope);
  IF p_ttl_minutes IS NULL OR p_ttl_minutes NOT BETWEEN 1 AND 10080 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'ttl_minutes must be from 1 to 10080', 'ttl_minutes');
  END IF;
  IF p_units IS NULL OR p_units < 1 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'units must be at least 1', 'units');
  END IF;
  v_result := fn_lease_acquire(v_namespace, p_account_id, p_resource_type_code, p_resource_scope, p_holder, p_ttl_minutes * 60, p_units, NULL);
  RETURN QUERY SELECT
    (v_result ->> 'allowed')::boolean, (v_result ->> 'lease_id')::uuid, v_result ->> 'reason', l.expires_at, l.fencing_token,
    (v_result ->> 'renewed')::boolean, (v_result ->> 'limit')::numeric, (v_result ->> 'used')::numeric, (v_result ->> 'remaining')::numeric
  FROM (SELECT) one LEFT JOIN concurrency_leases l ON l.lease_id = (v_result ->> 'lease_id')::uuid;
END $$;
COMMENT ON FUNCTION fn_acquire_lease IS
'Takes a floating seat for p_ttl_minutes, or renews the holder''s own. granted false: reason says why, and nothing was written. ME400 unknown_resource, invalid_parameter.';
