CREATE OR REPLACE FUNCTION fn_expire_leases(p_most int DEFAULT 1000) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_key record;
  v_seen int := 0;
  v_ended int := 0;
BEGIN
  FOR v_key IN
    SELECT DISTINCT l.account_id, l.resource_type_code, l.namespace_id
    FROM concurrency_leases l JOIN namespaces n USING (namespace_id)
    WHERE l.ended_at IS NULL AND l.expires_at <= statement_timestamp() + n.clock_offset
    ORDER BY l.account_id, l.resource_type_code LIMIT p_most
  LOOP
    v_seen := v_seen + 1;
    -- A command at work there marks them itself: never waited for.
    PERFORM FROM resource_state s
    WHERE s.account_id = v_key.account_id AND s.resource_type_code = v_key.resource_type_code FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    v_ended := v_ended + fn_leases_mark_expired(v_key.account_id, v_key.resource_type_code, fn_now(v_key.namespace_id));
  END LOOP;
  RETURN jsonb_build_object('job', 'expire_leases', 'processed', v_ended, 'more', v_seen = p_most);
END $$;
COMMENT ON FUNCTION fn_expire_leases IS
'Records the end of leases past their expiry, of at most p_most (account, resource). Changes no answer: they hold no seat since expires_at. Safe twice and at once.';
