CREATE OR REPLACE FUNCTION api_ledger_list(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces;
  v_account_id uuid;
  v_cursor text[] := fn_cursor(p_request, '{timestamptz,uuid}');
  v_before timestamptz := coalesce(v_cursor[1]::timestamptz, 'infinity');
  v_before_id uuid := coalesce(v_cursor[2]::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from timestamptz := coalesce((p_request ->> 'from')::timestamptz, '-infinity');
  v_to timestamptz := coalesce((p_request ->> 'to')::timestamptz, 'infinity');
  v_most int := fn_page_limit(p_request) + 1;
  v_rows jsonb[];
  v_keys jsonb[];
BEGIN
  -- A token of one account lists that account.
  p_request := jsonb_build_object('account_id', p_credential -> 'account') || jsonb_strip_nulls(p_request);
  v_namespace := fn_authorize(p_credential, '{read}', p_request ->> 'account_id');
  IF p_request ->> 'resource' IS NOT NULL THEN
    PERFORM fn_resource_type(v_namespace.namespace_id, p_request ->> 'resource');
  END IF;
  IF p_request ->> 'account_id' IS NULL THEN
    SELECT array_agg(fn_entry_json(l, coalesce(a.external_id, l.account_id::text), d.metadata) ORDER BY l.occurred_at DESC, l.entry_id DESC),
           array_agg(jsonb_build_array(l.occurred_at, l.entry_id) ORDER BY l.occurred_at DESC, l.entry_id DESC)
    INTO v_rows, v_keys
    FROM (
      SELECT * FROM consumption_ledger l
      WHERE l.namespace_id = v_namespace.namespace_id
        AND (p_request ->> 'resource' IS NULL OR l.resource_type_code = p_request ->> 'resource')
        AND l.occurred_at >= v_from AND l.occurred_at < v_to AND (l.occurred_at, l.entry_id) < (v_before, v_before_id)
      ORDER BY l.occurred_at DESC, l.entry_id DESC LIMIT v_most
    ) l
    LEFT JOIN accounts a USING (account_id) LEFT JOIN ledger_details d USING (entry_id);
  ELSE
    v_account_id := fn_account_uuid(v_namespace, p_request ->> 'account_id');
    SELECT array_agg(fn_entry_json(l, p_request ->> 'account_id', d.metadata) ORDER BY l.occurred_at DESC, l.entry_id DESC),
           array_agg(jsonb_build_array(l.occurred_at, l.entry_id) ORDER BY l.occurred_at DESC, l.entry_id DESC)
    INTO v_rows, v_keys
    FROM (
      -- The newest of each of the account's resources, from the index, then the newest of those.
      SELECT l.* FROM resource_state s
      CROSS JOIN LATERAL (
        SELECT * FROM consumption_ledger l
        WHERE l.account_id = s.account_id AND l.resource_type_code = s.resource_type_code
          AND l.occurred_at >= v_from AND l.occurred_at < v_to AND (l.occurred_at, l.entry_id) < (v_before, v_before_id)
        ORDER BY l.occurred_at DESC, l.entry_id DESC LIMIT v_most
      ) l
      WHERE s.account_id = v_account_id
        AND (p_request ->> 'resource' IS NULL OR s.resource_type_code = p_request ->> 'resource')
      ORDER BY l.occurred_at DESC, l.entry_id DESC LIMIT v_most
    ) l
    LEFT JOIN ledger_details d USING (entry_id);
  END IF;
  RETURN fn_page(p_request, v_rows, v_keys);
END $$;
COMMENT ON FUNCTION api_ledger_list IS 'GET /v1/ledger: newest first by occurred_at, from inclusive, to exclusive.';
