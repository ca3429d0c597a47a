CREATE OR REPLACE FUNCTION fn_carry_usage(p_subscription subscriptions, p_replaced entitlements[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_timezone text := (SELECT a.timezone FROM accounts a WHERE a.account_id = p_subscription.account_id);
  v_resource text;
BEGIN
  FOR v_resource IN
    SELECT DISTINCT r.resource_type_code FROM unnest(p_replaced) r
    WHERE r.limit_kind_code = 'cumulative' AND NOT EXISTS (
      SELECT FROM entitlements e WHERE e.subscription_id = p_subscription.subscription_id AND e.bucket_id = r.bucket_id
        AND e.effective_start <= p_now AND (e.effective_end IS NULL OR e.effective_end > p_now) AND e.revoked_at IS NULL)
    ORDER BY 1
  LOOP
    WITH granted AS (
      SELECT s.*, s.bucket_id = s.entitlement_id AS is_new,
        row_number() OVER (PARTITION BY s.resource_scope, s.bucket_id = s.entitlement_id ORDER BY s.priority, s.created_at, s.entitlement_id) AS place,
        count(*) FILTER (WHERE s.bucket_id = s.entitlement_id) OVER (PARTITION BY s.resource_scope) AS news,
        count(*) OVER (PARTITION BY s.resource_scope, s.bucket_id = s.entitlement_id) AS places
      FROM unnest(fn_entitlement_states(p_subscription.account_id, v_resource, NULL, v_timezone, p_now, p_now, false)) s
      JOIN entitlements e USING (entitlement_id)
      WHERE e.subscription_id = p_subscription.subscription_id AND s.limit_kind_code = 'cumulative'
    ), left_over AS (
      -- As it stood in the last instant before.
      SELECT s.*, row_number() OVER (PARTITION BY s.resource_scope ORDER BY s.priority, s.created_at, s.entitlement_id) AS place
      FROM unnest(fn_entitlement_states(p_subscription.account_id, v_resource, NULL, v_timezone, p_now, p_now - interval '1 microsecond', false)) s
      JOIN unnest(p_replaced) r USING (entitlement_id)
      WHERE s.limit_kind_code = 'cumulative' AND (s.used > 0 OR s.held > 0) AND (s.rolling_since IS NOT NULL OR s.window_end > p_now)
        AND NOT EXISTS (SELECT FROM granted g WHERE g.bucket_id = s.bucket_id)
    ), heir AS MATERIALIZED (
      SELECT g.entitlement_id, g.bucket_id, g.window_start, g.window_end, greatest(l.used, 0) AS used, l.bucket_id AS old_bucket_id,
        CASE WHEN l.rolling_since IS NULL THEN l.window_end END AS old_window_end
      FROM left_over l
      JOIN granted g ON g.resource_scope IS NOT DISTINCT FROM l.resource_scope AND CASE WHEN g.news > 0
        THEN g.is_new AND g.place = least(l.place, g.places) ELSE g.place = g.places END
    ), moved AS (
      -- Held, not carried: what is released comes back.
      UPDATE reservation_allocations a SET held_until = p_now
      FROM heir h, fn_live_holds(p_subscription.account_id, v_resource, p_now, p_now, false) r
      WHERE a.reservation_id = r.reservation_id AND a.held_until = 'infinity'
        AND a.bucket_id = h.old_bucket_id AND a.window_end = coalesce(h.old_window_end, a.window_end)
      RETURNING a.reservation_id, a.draw_order, a.included_quantity, a.overage_quantity, h.entitlement_id, h.bucket_id, h.window_start, h.window_end
    ), held AS (
      INSERT INTO reservation_allocations (reservation_id, entitlement_id, draw_order, bucket_id, window_start, window_end,
        included_quantity, overage_quantity, held_from)
      SELECT m.reservation_id, m.entitlement_id, min(m.draw_order), m.bucket_id, m.window_start, m.window_end,
        sum(m.included_quantity), sum(m.overage_quantity), p_now
      FROM moved m GROUP BY m.reservation_id, m.entitlement_id, m.bucket_id, m.window_start, m.window_end
    )
    INSERT INTO entitlement_windows AS w (account_id, resource_type_code, window_end, bucket_id, window_start, carried, used,
      included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount)
    SELECT p_subscription.account_id, v_resource, h.window_end, h.bucket_id, h.window_start, sum(h.used), sum(h.used), 0, 0, 0, 0, 0
    FROM heir h GROUP BY h.window_end, h.bucket_id, h.window_start
    ON CONFLICT (account_id, resource_type_code, window_end, bucket_id) DO UPDATE SET
      carried = w.carried + excluded.carried, used = w.used + excluded.used;
  END LOOP;
END $$;
COMMENT ON FUNCTION fn_carry_usage IS
'After a change of plan that counts now: what was used in the running windows of buckets that nothing took over starts the windows of what is new for the same resource and scope (in order; what is left goes to the last), as carried, and live holds on them are held there. No usage is lost to a change of window type, or to fewer entitlements than before.';
