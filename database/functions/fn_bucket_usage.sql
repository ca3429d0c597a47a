CREATE OR REPLACE FUNCTION fn_bucket_usage(
  p_account_id uuid, p_resource text, p_bucket_id uuid, p_after timestamptz, p_to timestamptz,
  OUT quantity numeric, OUT overage numeric
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_quarter CONSTANT interval := interval '15 minutes';
  -- Whole quarters lie in [v_first, v_last): the partial ones at both edges come from the allocations.
  v_first timestamptz := date_bin(v_quarter, p_after, 'epoch') + v_quarter;
  v_last timestamptz := date_bin(v_quarter, p_to, 'epoch');
  v_first_day date;
  v_last_day date;
  v_first_slot int;
  v_last_slot int;
BEGIN
  quantity := 0;
  overage := 0;
  IF v_first < v_last THEN
    v_first_day := (v_first AT TIME ZONE 'UTC')::date;
    v_last_day := (v_last AT TIME ZONE 'UTC')::date;
    v_first_slot := 1 + (extract(epoch FROM v_first)::bigint % 86400) / 900;
    v_last_slot := (extract(epoch FROM v_last)::bigint % 86400) / 900;
    SELECT coalesce(sum(s.quantity), 0), coalesce(sum(s.overage), 0) INTO quantity, overage
    FROM usage_rollups r
    CROSS JOIN LATERAL (
      -- A day that is taken whole needs no look into its quarters.
      SELECT r.quantity, r.overage_quantity AS overage
      WHERE (r.day > v_first_day OR v_first_slot = 1) AND r.day < v_last_day
      UNION ALL
      SELECT sum(q.quantity), sum(q.overage)
      FROM unnest(
        r.quarters[(CASE WHEN r.day = v_first_day THEN v_first_slot ELSE 1 END):(CASE WHEN r.day = v_last_day THEN v_last_slot ELSE 96 END)],
        r.overage_quarters[(CASE WHEN r.day = v_first_day THEN v_first_slot ELSE 1 END):(CASE WHEN r.day = v_last_day THEN v_last_slot ELSE 96 END)]
      ) AS q (quantity, overage)
      WHERE NOT ((r.day > v_first_day OR v_first_slot = 1) AND r.day < v_last_day)
    ) s
    WHERE r.account_id = p_account_id AND r.resource_type_code = p_resource AND r.bucket_id = p_bucket_id
      AND r.day BETWEEN v_first_day AND v_last_day;
  END IF;
  SELECT quantity + coalesce(sum(a.included_quantity + a.overage_quantity + a.excess_quantity), 0),
         overage + coalesce(sum(a.overage_quantity), 0)
  INTO quantity, overage
  FROM (
    SELECT a.included_quantity, a.overage_quantity, a.excess_quantity FROM consumption_allocations a
    WHERE a.bucket_id = p_bucket_id AND a.counted_at > p_after AND a.counted_at <= p_to AND a.counted_at < v_first
    UNION ALL
    SELECT a.included_quantity, a.overage_quantity, a.excess_quantity FROM consumption_allocations a
    WHERE a.bucket_id = p_bucket_id AND a.counted_at >= greatest(v_first, v_last) AND a.counted_at <= p_to
  ) a;
END $$;
COMMENT ON FUNCTION fn_bucket_usage IS
'What was drawn on a bucket in (p_after, p_to], exact to the event and of it what was overage: whole days and quarters of an hour from the rollups, the partial quarters at both edges from the allocations. Its cost is bounded by the days between and a quarter''s entries at each edge.';
