CREATE OR REPLACE FUNCTION fn_expire_leases(p_namespace_id text DEFAULT NULL, p_most int DEFAULT 1000) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_due record;
  v_key record;
  v_now timestamptz;
  v_ended int := 0;
BEGIN
  SELECT count(*) AS leases, array_agg(l.lease_id) FILTER (WHERE l.expires_at > l.now) AS alive,
    array_agg(DISTINCT fn_resource_key(l.account_id, l.resource_type_code)) FILTER (WHERE l.expires_at <= l.now) AS keys
  INTO v_due
  FROM (
    SELECT l.*, c.now FROM namespaces n
    CROSS JOIN LATERAL (SELECT fn_clock(n, statement_timestamp()) AS now) c
    CROSS JOIN LATERAL (
      SELECT * FROM concurrency_leases l
      WHERE l.namespace_id = n.namespace_id AND l.ended_at IS NULL AND l.due_at <= c.now
      ORDER BY l.due_at LIMIT p_most
    ) l
    WHERE p_namespace_id IS NULL OR n.namespace_id = p_namespace_id
    LIMIT p_most
  ) l;
  -- A command at work on a resource is never waited for: it marks the leases itself, or the next run does.
  FOR v_key IN
    SELECT s.account_id, s.resource_type_code, a.namespace_id FROM resource_state s JOIN accounts a USING (account_id)
    WHERE (s.account_id, s.resource_type_code) IN (SELECT k.account_id, k.resource_type_code FROM unnest(v_due.keys) k)
    FOR UPDATE OF s SKIP LOCKED
  LOOP
    v_ended := v_ended + fn_leases_mark_expired(v_key.account_id, v_key.resource_type_code, fn_now(v_key.namespace_id));
  END LOOP;
  UPDATE concurrency_leases l SET due_at = l.expires_at
  WHERE l.lease_id IN (SELECT a.lease_id FROM concurrency_leases a WHERE a.lease_id = ANY (v_due.alive) FOR UPDATE SKIP LOCKED);
  RETURN jsonb_build_object('job', 'expire_leases', 'processed', v_ended, 'more', v_due.leases = p_most);
END $$;
COMMENT ON FUNCTION fn_expire_leases IS
'Records the end of leases past their expiry, of one namespace or (null) of all: looks at no more than p_most. Changes no answer: they hold no seat since expires_at. Finds them by due_at, which it moves on for those that heartbeats kept alive. Safe twice and at once; more: there may be others.';
