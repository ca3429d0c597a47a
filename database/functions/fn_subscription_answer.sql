CREATE OR REPLACE FUNCTION fn_subscription_answer(p_subscription_id uuid, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT jsonb_build_object(
      'subscription', fn_subscription_json(s, p_account, p_now),
      'entitlements', coalesce((
        SELECT jsonb_agg(fn_entitlement_json(e, p_account, p_now) ORDER BY e.entitlement_id)
        FROM entitlements e WHERE e.subscription_id = s.subscription_id
          AND coalesce(least(e.effective_end, e.revoked_at), 'infinity') > least(p_now, s.end_at - interval '1 microsecond')
      ), '[]'))
    FROM subscriptions s WHERE s.subscription_id = p_subscription_id
  );
END $$;
COMMENT ON FUNCTION fn_subscription_answer IS
'A subscription with its entitlements, in force or to come, as answers show them; when it has ended, those that ended with it.';
