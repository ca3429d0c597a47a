CREATE OR REPLACE FUNCTION api_audit_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
  v_cursor text[] := fn_cursor(p_request, '{timestamptz,uuid}');
  v_actor text := p_request ->> 'actor';
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  -- A token of one account lists what concerns that account.
  p_request := jsonb_strip_nulls(jsonb_build_object('account_id', p_credential -> 'account')) || jsonb_strip_nulls(p_request);
  v_namespace := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  IF v_actor LIKE 'token:%' THEN
    v_actor := 'token:' || fn_account_uuid(v_namespace, substr(v_actor, 7));
  END IF;
  -- With only the conditions that were asked for, so that the planner sees which index answers them.
  EXECUTE format($query$
    SELECT array_agg(fn_audit_json(a::audit_log, d) ORDER BY a.changed_at DESC, a.audit_id DESC),
           array_agg(jsonb_build_array(a.changed_at, a.audit_id) ORDER BY a.changed_at DESC, a.audit_id DESC)
    FROM (
      SELECT * FROM audit_log a WHERE a.namespace_id = $1 %s ORDER BY a.changed_at DESC, a.audit_id DESC LIMIT $2
    ) a
    LEFT JOIN audit_details d USING (audit_id)$query$,
    concat(
      CASE WHEN p_request ? 'account_id' THEN 'AND a.account_id = $3 ' END,
      -- An account is in the trail by its UUID.
      CASE WHEN p_request ? 'object_id' THEN 'AND a.object_id IN ($4, $5::text) ' END,
      CASE WHEN p_request ? 'object_type' THEN 'AND a.object_type = $6 ' END,
      CASE WHEN p_request ? 'action' THEN 'AND a.action = $7 ' END,
      CASE WHEN p_request ? 'actor' THEN 'AND a.actor = $8 ' END,
      CASE WHEN p_request ? 'from' THEN 'AND a.changed_at >= $9 ' END,
      CASE WHEN p_request ? 'to' THEN 'AND a.changed_at < $10 ' END,
      CASE WHEN p_request ? 'cursor' THEN 'AND (a.changed_at, a.audit_id) < ($11, $12)' END))
  INTO v_rows, v_keys
  USING v_namespace.namespace_id, fn_page_limit(p_request) + 1, fn_account_uuid(v_namespace, p_request ->> 'account_id'),
    p_request ->> 'object_id', fn_account_uuid(v_namespace, p_request ->> 'object_id'), p_request ->> 'object_type', p_request ->> 'action', v_actor,
    (p_request ->> 'from')::timestamptz, (p_request ->> 'to')::timestamptz, v_cursor[1]::timestamptz, v_cursor[2]::uuid;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_audit_list IS 'GET /v1/audit: newest first; from inclusive, to exclusive.';
