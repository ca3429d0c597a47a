CREATE OR REPLACE FUNCTION fn_billing_page(p_credential jsonb, p_request jsonb, p_status text, p_most int) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  -- Also where little is found, a page ends: with what there is, and a cursor.
  c_keys CONSTANT int := 5000;
  v_namespace namespaces;
  v_cursor text[] := fn_cursor(p_request, '{timestamptz,uuid,text,timestamptz,uuid,uuid}');
  v_account text := coalesce(p_request ->> 'account_id', p_credential ->> 'account');
  v_account_id uuid;
  v_resource text := p_request ->> 'resource';
  v_from timestamptz := coalesce((p_request ->> 'from')::timestamptz, '-infinity');
  v_now timestamptz;
  v_key record;
  v_is_first boolean;
  v_item record;
  v_seen int := 0;
  v_items jsonb[] := '{}';
  v_last jsonb;
  v_next text;
BEGIN
  v_namespace := fn_authorize(p_credential, '{read}', v_account);
  IF v_resource IS NOT NULL THEN
    PERFORM fn_resource_type(v_namespace.namespace_id, v_resource);
  END IF;
  v_account_id := fn_account_uuid(v_namespace, v_account);
  -- All pages show what was closed by the time of the first.
  v_now := least(v_cursor[1]::timestamptz, fn_clock(v_namespace, statement_timestamp()));
  FOR v_key IN
    SELECT a.account_id, s.resource_type_code AS resource, coalesce(v_account, a.external_id, a.account_id::text) AS account,
      EXISTS (
        SELECT FROM entitlement_windows w
        WHERE w.account_id = s.account_id AND w.resource_type_code = s.resource_type_code AND w.window_end >= v_from
          AND (p_status IS DISTINCT FROM 'open' OR w.frozen_at IS NULL OR w.frozen_at > v_now)
      ) AS is_asked
    FROM accounts a JOIN resource_state s USING (account_id)
    WHERE a.namespace_id = v_namespace.namespace_id
      AND a.account_id >= coalesce(v_account_id, '00000000-0000-0000-0000-000000000000')
      AND a.account_id <= coalesce(v_account_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      AND a.account_id >= coalesce(v_cursor[2]::uuid, '00000000-0000-0000-0000-000000000000')
      AND (s.account_id, s.resource_type_code) >= (coalesce(v_cursor[2]::uuid, '00000000-0000-0000-0000-000000000000'), coalesce(v_cursor[3], '') COLLATE "C")
    ORDER BY a.account_id, s.resource_type_code LIMIT c_keys + 1
  LOOP
    v_seen := v_seen + 1;
    IF v_seen > c_keys THEN
      v_next := fn_cursor_text(jsonb_build_array(v_now, v_key.account_id, v_key.resource,
        'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'));
      EXIT;
    END IF;
    CONTINUE WHEN v_key.resource <> v_resource OR NOT v_key.is_asked;
    v_is_first := (v_key.account_id::text, v_key.resource) = (v_cursor[2], v_cursor[3]);
    FOR v_item IN
      SELECT * FROM fn_billing_items(v_namespace, v_key.account_id, v_key.resource, v_key.account, p_status,
        v_from, coalesce((p_request ->> 'to')::timestamptz, 'infinity'), v_now,
        CASE WHEN v_is_first THEN v_cursor[4]::timestamptz ELSE 'infinity' END,
        CASE WHEN v_is_first THEN v_cursor[5]::uuid ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END,
        CASE WHEN v_is_first THEN v_cursor[6]::uuid ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END,
        p_most + 1 - cardinality(v_items))
    LOOP
      IF cardinality(v_items) = p_most THEN
        v_next := fn_cursor_text(v_last);
        EXIT;
      END IF;
      v_items := v_items || v_item.item;
      v_last := jsonb_build_array(v_now, v_key.account_id, v_key.resource, v_item.window_end, v_item.bucket_id, v_item.item_id);
    END LOOP;
    EXIT WHEN v_next IS NOT NULL;
  END LOOP;
  RETURN jsonb_build_object('data', to_jsonb(v_items), 'has_more', v_next IS NOT NULL, 'next_cursor', v_next);
END $$;
COMMENT ON FUNCTION fn_billing_page IS
'A page of fn_billing_items of the accounts that a request names, of all of them if none, by account and resource: at most p_most, and fewer when p_most are not found among the next 5000 (account, resource). All pages of a list are as of the moment of the first, so that none is missed when a window closes meanwhile.';
