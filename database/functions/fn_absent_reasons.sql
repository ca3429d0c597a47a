CREATE OR REPLACE FUNCTION fn_absent_reasons(p_account_id uuid, p_resource text, p_scope text, p_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_kinds text[];
  v_reasons text[];
  v_result jsonb := '{}';
  v_purpose text;
BEGIN
  -- Most useful first: what is still to come, then what ended last.
  SELECT array_agg(g.limit_kind_code ORDER BY g.reason <> 'not_started', g.ended_at DESC),
         array_agg(g.reason ORDER BY g.reason <> 'not_started', g.ended_at DESC)
  INTO v_kinds, v_reasons
  FROM (
    SELECT e.limit_kind_code,
      CASE WHEN least(e.revoked_at, e.effective_end) > p_at OR (e.revoked_at IS NULL AND e.effective_end IS NULL) THEN 'not_started'
           WHEN e.revoked_at <= coalesce(e.effective_end, 'infinity') THEN 'revoked'
           ELSE 'expired' END AS reason,
      least(e.revoked_at, e.effective_end) AS ended_at
    FROM entitlements e
    WHERE e.account_id = p_account_id AND e.resource_type_code = p_resource AND fn_scope_covers(e.resource_scope, p_scope)
      AND NOT (e.effective_start <= p_at AND (e.effective_end IS NULL OR e.effective_end > p_at)
        AND (e.revoked_at IS NULL OR e.revoked_at > p_at))
  ) g;
  FOREACH v_purpose IN ARRAY '{any,consume,lease,assign}'::text[] LOOP
    v_result := v_result || jsonb_build_object(v_purpose, coalesce((
      SELECT r.reason FROM unnest(v_kinds, v_reasons) WITH ORDINALITY r (kind, reason, n)
      WHERE r.kind = ANY (fn_asked_kinds(v_purpose)) ORDER BY r.n LIMIT 1
    ), 'no_entitlement'));
  END LOOP;
  RETURN v_result;
END $$;
COMMENT ON FUNCTION fn_absent_reasons IS
'Why no limit kind is in force, for each purpose: not_started when one is still to come, else how the last one ended (expired, revoked), else no_entitlement.';
