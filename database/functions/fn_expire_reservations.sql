CREATE OR REPLACE FUNCTION fn_expire_reservations(p_namespace_id text DEFAULT NULL, p_most int DEFAULT 1000) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_due record;
  v_key record;
  v_ended int := 0;
BEGIN
  SELECT count(*) AS reservations, array_agg(DISTINCT fn_resource_key(r.account_id, r.resource_type_code)) AS keys
  INTO v_due
  FROM (
    SELECT r.account_id, r.resource_type_code FROM namespaces n
    CROSS JOIN LATERAL (
      SELECT * FROM reservations r
      WHERE r.namespace_id = n.namespace_id AND r.ended_at IS NULL AND r.expires_at <= fn_clock(n, statement_timestamp())
      ORDER BY r.expires_at LIMIT p_most
    ) r
    WHERE p_namespace_id IS NULL OR n.namespace_id = p_namespace_id
    LIMIT p_most
  ) r;
  -- A command at work on a resource is never waited for: the next run marks what expired there.
  FOR v_key IN
    SELECT s.account_id, s.resource_type_code, a.namespace_id FROM resource_state s JOIN accounts a USING (account_id)
    WHERE (s.account_id, s.resource_type_code) IN (SELECT k.account_id, k.resource_type_code FROM unnest(v_due.keys) k)
    FOR UPDATE OF s SKIP LOCKED
  LOOP
    v_ended := v_ended + fn_reservations_mark_expired(v_key.account_id, v_key.resource_type_code, fn_now(v_key.namespace_id));
  END LOOP;
  RETURN jsonb_build_object('job', 'expire_reservations', 'processed', v_ended, 'more', v_due.reservations = p_most);
END $$;
COMMENT ON FUNCTION fn_expire_reservations IS
'Records the end of reservations past their expiry, of one namespace or (null) of all: looks at no more than p_most. Changes no answer: they hold nothing since expires_at. Safe twice and at once; more: there may be others.';
