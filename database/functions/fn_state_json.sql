CREATE OR REPLACE FUNCTION fn_state_json(p_states entitlement_state[], p_kind text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT jsonb_build_object(
      'limit', CASE WHEN count(*) = 0 THEN 0 ELSE fn_number(sum(s.quantity_limit)) END,
      'used', fn_number(coalesce(sum(greatest(s.used, 0)), 0)),
      'held', fn_number(coalesce(sum(s.held), 0)),
      'remaining', CASE WHEN count(*) = 0 THEN 0
        ELSE fn_number(sum(greatest(s.quantity_limit - greatest(s.used, 0) - s.held, 0))) END)
    FROM unnest(p_states) s WHERE s.covers AND s.limit_kind_code = p_kind
  );
END $$;
COMMENT ON FUNCTION fn_state_json IS
'What the covering entitlements of one kind add up to: {limit, used, held, remaining}, null for unlimited, zeros where there is none.';
