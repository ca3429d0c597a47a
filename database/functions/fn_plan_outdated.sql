CREATE OR REPLACE FUNCTION fn_plan_outdated(p_plan plans, p_after uuid, p_now timestamptz, p_limit int) RETURNS uuid[]
LANGUAGE sql STABLE AS $$
  SELECT array_agg(o.subscription_id ORDER BY o.subscription_id) FROM (
    (SELECT s.subscription_id FROM subscriptions s
     WHERE s.namespace_id = p_plan.namespace_id AND s.plan_id = p_plan.plan_id AND s.subscription_id > p_after
       AND s.plan_version < p_plan.current_version AND (s.pending_at IS NULL OR s.pending_at > p_now) AND (s.end_at IS NULL OR s.end_at > p_now)
     ORDER BY s.subscription_id LIMIT p_limit)
    UNION ALL
    (SELECT s.subscription_id FROM subscriptions s
     WHERE s.namespace_id = p_plan.namespace_id AND s.pending_plan_id = p_plan.plan_id AND s.subscription_id > p_after
       AND s.pending_plan_version < p_plan.current_version AND s.pending_at <= p_now AND (s.end_at IS NULL OR s.end_at > p_now)
     ORDER BY s.subscription_id LIMIT p_limit)
    ORDER BY subscription_id LIMIT p_limit
  ) o
$$;
COMMENT ON FUNCTION fn_plan_outdated IS
'The next subscriptions of a plan, by their ids, that are on an older version than its current one and have not ended.';
