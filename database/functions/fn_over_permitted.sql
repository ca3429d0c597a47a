CREATE OR REPLACE FUNCTION fn_over_permitted(p_limit limit_state) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE p_limit.action
    WHEN 'warn' THEN 'Infinity'::numeric
    WHEN 'overage' THEN p_limit.overage_left
    WHEN 'grace' THEN CASE WHEN p_limit.grace_open THEN p_limit.grace_left ELSE 0 END
    ELSE 0 END;
END $$;
COMMENT ON FUNCTION fn_over_permitted IS
'How much a rule lets go beyond the headroom: overage up to its cap, grace while it lasts, warn without bound, block nothing.';
