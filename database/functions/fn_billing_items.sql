CREATE OR REPLACE FUNCTION fn_billing_items(
  p_namespace namespaces, p_account_id uuid, p_resource text, p_account text, p_status text, p_from timestamptz, p_to timestamptz, p_now timestamptz,
  p_before_end timestamptz DEFAULT 'infinity', p_before_bucket uuid DEFAULT 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  p_before_id uuid DEFAULT 'ffffffff-ffff-ffff-ffff-ffffffffffff', p_most int DEFAULT NULL
) RETURNS TABLE (item jsonb, window_end timestamptz, bucket_id uuid, item_id uuid)
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
      'entitlement_id', e.entitlement_id, 'account_id', p_account, 'resource', p_resource, 'scope', e.resource_scope,
      'window', fn_window_json(coalesce(e.window_type_code, 'calendar_month'), w.window_start, w.ends_at),
      'status', CASE WHEN w.closed_at IS NULL THEN 'open' ELSE 'closed' END,
      'included_quantity', fn_number(i.included), 'overage_quantity', fn_number(i.overage), 'excess_quantity', fn_number(i.excess),
      -- So that quantity × multiplier is the amount, also of parts that were recorded with several.
      'overage_multiplier', fn_number(CASE WHEN i.billable <> 0 THEN round(i.amount / i.billable, 6)
        ELSE coalesce(fn_recorded_multiplier(e, w.window_start, w.window_end), 1) END),
      'billable_quantity', fn_number(i.billable), 'billable_amount', fn_number(i.amount), 'closed_at', fn_rfc3339(w.closed_at)),
    w.window_end, w.bucket_id, i.item_id
  FROM (
    SELECT w.*, t.ends_at, c.closed_at
    FROM entitlement_windows w
    CROSS JOIN LATERAL (SELECT fn_window_ends_at(p_account_id, p_resource, w.bucket_id, w.window_end) AS ends_at) t
    CROSS JOIN LATERAL (
      SELECT CASE WHEN w.frozen_at IS NOT NULL THEN w.frozen_at
        WHEN fn_window_closed(p_namespace, p_account_id, p_resource, w.bucket_id, w.window_end, p_now)
        THEN fn_window_closed_at(p_namespace, p_account_id, p_resource, w.bucket_id, w.window_end) END AS at
    ) f
    -- Not what a clock that was moved back has taken back.
    CROSS JOIN LATERAL (SELECT CASE WHEN f.at <= p_now THEN f.at END AS closed_at) c
    WHERE w.account_id = p_account_id AND w.resource_type_code = p_resource
      AND (w.window_end, w.bucket_id) <= (p_before_end, p_before_bucket)
      AND w.window_end >= p_from AND t.ends_at >= p_from AND (p_to = 'infinity' OR t.ends_at < p_to)
      AND (p_status IS NULL OR p_status = CASE WHEN c.closed_at IS NULL THEN 'open' ELSE 'closed' END)
    -- Each has an item at least, but that of the position itself.
    ORDER BY w.window_end DESC, w.bucket_id DESC LIMIT p_most + 1
  ) w
  CROSS JOIN LATERAL (
    SELECT p.entitlement_id AS item_id, p.included_quantity AS included, p.overage_quantity AS overage, p.excess_quantity AS excess,
      p.billable_quantity AS billable, p.billable_amount AS amount
    FROM entitlement_window_parts p
    WHERE p.account_id = p_account_id AND p.resource_type_code = p_resource AND p.window_end = w.window_end AND p.bucket_id = w.bucket_id
    UNION ALL
    -- What others did not draw, its first entitlement did.
    SELECT w.bucket_id, r.included, r.overage, r.excess, r.billable, r.amount
    FROM (
      SELECT count(*) AS parts, w.included_quantity - coalesce(sum(p.included_quantity), 0) AS included,
        w.overage_quantity - coalesce(sum(p.overage_quantity), 0) AS overage, w.excess_quantity - coalesce(sum(p.excess_quantity), 0) AS excess,
        w.billable_quantity - coalesce(sum(p.billable_quantity), 0) AS billable, w.billable_amount - coalesce(sum(p.billable_amount), 0) AS amount
      FROM entitlement_window_parts p
      WHERE p.account_id = p_account_id AND p.resource_type_code = p_resource AND p.window_end = w.window_end AND p.bucket_id = w.bucket_id
    ) r
    WHERE r.parts = 0 OR (r.included, r.overage, r.excess, r.amount) <> (0, 0, 0, 0)
      OR (SELECT fn_handed_on_at(o) FROM entitlements o WHERE o.entitlement_id = w.bucket_id) > w.window_start
  ) i
  LEFT JOIN entitlements e ON e.entitlement_id = i.item_id
  WHERE (w.window_end, w.bucket_id, i.item_id) < (p_before_end, p_before_bucket, p_before_id)
  ORDER BY w.window_end DESC, w.bucket_id DESC, i.item_id DESC LIMIT p_most
$$;
COMMENT ON FUNCTION fn_billing_items IS
'What was used of an (account, resource) by window and entitlement, as GET /v1/billing/windows shows it, newest first, from before a position on; status null: all. As of p_now. Without an entitlement: what drew on none. All of them together are the ledger.';
