CREATE OR REPLACE FUNCTION fn_snapshot_of(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_scope text, p_suspended boolean, p_limits limit_state[],
  p_others boolean, p_key_version bigint, p_at timestamptz
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_kinds jsonb := '[]';
  v_limit limit_state;
  v_narrows timestamptz;
  v_widens timestamptz;
  v_start_at timestamptz;
  v_absent jsonb := '{"any":"no_entitlement","consume":"no_entitlement","lease":"no_entitlement","assign":"no_entitlement"}';
BEGIN
  FOREACH v_limit IN ARRAY coalesce(p_limits, '{}') LOOP
    v_kinds := v_kinds || fn_limit_snapshot(v_limit, p_suspended);
    v_narrows := least(v_narrows, v_limit.narrows_at);
    v_widens := least(v_widens, v_limit.widens_at);
    IF v_limit.limit_kind_code = 'concurrency' THEN
      v_widens := least(v_widens, (
        SELECT min(l.expires_at) FROM concurrency_leases l
        WHERE l.account_id = p_account_id AND l.resource_type_code = p_resource AND l.ended_at IS NULL AND l.expires_at > p_at));
    END IF;
    IF v_limit.held > 0 THEN
      v_widens := least(v_widens, (
        SELECT min(r.expires_at) FROM reservations r
        WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.ended_at IS NULL AND r.expires_at > p_at));
    END IF;
  END LOOP;
  IF p_others THEN
    v_absent := fn_absent_reasons(p_account_id, p_resource, p_scope, p_at);
    -- What starts may add a kind that denies, so it narrows as well as widens.
    SELECT min(e.effective_start) INTO v_start_at FROM entitlements e
    WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource AND e.effective_start > p_at;
  END IF;
  RETURN jsonb_build_object(
    'account_id', p_account_id, 'namespace', p_namespace.namespace_id, 'resource', p_resource, 'scope', p_scope,
    'config_version', p_namespace.config_version, 'key_version', p_key_version,
    'clock_offset_ms', fn_clock_offset_ms(p_namespace),
    'as_of', fn_rfc3339(p_at),
    'valid_until', fn_rfc3339(least(v_narrows, v_start_at)),
    'improves_at', fn_rfc3339(least(v_widens, v_start_at)),
    'suspended', p_suspended,
    'kinds', v_kinds,
    'absent', v_absent);
END $$;
COMMENT ON FUNCTION fn_snapshot_of IS 'Renders the limits of one (account, resource, scope) as a snapshot. p_others: there are entitlements that are not in force.';
