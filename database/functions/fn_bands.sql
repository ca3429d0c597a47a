CREATE OR REPLACE FUNCTION fn_bands(p_limit limit_state) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  -- Within the headroom: the warning begins at its percentage of the limit, the allowance ends a millionth below.
  v_warn_from numeric := ceil((CASE WHEN p_limit.quantity_limit < 'Infinity' THEN p_limit.quantity_limit END * p_limit.warn_at_percent / 100
    - p_limit.used - p_limit.held) * 1000000) / 1000000;
  v_over numeric;
  v_bands jsonb;
BEGIN
  v_bands := CASE
    WHEN v_warn_from IS NULL OR v_warn_from > p_limit.headroom THEN
      jsonb_build_array(fn_band(p_limit.headroom, 'allow', 'within_limit'))
    WHEN v_warn_from > 0 THEN
      jsonb_build_array(fn_band(v_warn_from - 0.000001, 'allow', 'within_limit'), fn_band(p_limit.headroom, 'warn', 'near_limit'))
    ELSE jsonb_build_array(fn_band(p_limit.headroom, 'warn', 'near_limit')) END;
  IF p_limit.headroom = 'Infinity' THEN
    RETURN v_bands;
  END IF;
  -- Beyond it: the rule.
  IF p_limit.action = 'block' THEN
    RETURN v_bands || fn_band('Infinity', 'block', 'limit_exceeded');
  END IF;
  v_over := fn_over_permitted(p_limit);
  IF v_over > 0 THEN
    v_bands := v_bands || CASE p_limit.action
      WHEN 'warn' THEN fn_band(p_limit.headroom + v_over, 'warn', 'over_limit_warned')
      WHEN 'overage' THEN fn_band(p_limit.headroom + v_over, 'overage', 'over_limit_overage')
      WHEN 'grace' THEN fn_band(p_limit.headroom + v_over, 'grace', 'over_limit_grace') END;
  END IF;
  IF v_over < 'Infinity' THEN
    v_bands := v_bands || fn_band('Infinity', 'block', CASE p_limit.action WHEN 'overage' THEN 'overage_cap_reached' ELSE 'grace_exhausted' END);
  END IF;
  RETURN v_bands;
END $$;
COMMENT ON FUNCTION fn_bands IS
'The decision of one limit kind for every quantity: [{"up_to","outcome","reason"}], ascending, up_to in millionths, inclusive, null for the last. How rules decide (API.md) is here and nowhere else.';
