CREATE OR REPLACE FUNCTION fn_bands(p_limit limit_state) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_bands jsonb := '[]';
  v_warn_from numeric;
  v_over numeric;
BEGIN
  -- Within the headroom: the warning begins at its percentage of the limit, the allowance ends a millionth below.
  IF p_limit.quantity_limit < 'Infinity' AND p_limit.warn_at_percent IS NOT NULL THEN
    v_warn_from := ceil((p_limit.quantity_limit * p_limit.warn_at_percent / 100 - p_limit.used - p_limit.held) * 1000000) / 1000000;
  END IF;
  IF v_warn_from IS NULL OR v_warn_from > p_limit.headroom THEN
    v_bands := v_bands || fn_band(p_limit.headroom, 'allow', 'within_limit');
  ELSE
    IF v_warn_from > 0 THEN
      v_bands := v_bands || fn_band(v_warn_from - 0.000001, 'allow', 'within_limit');
    END IF;
    v_bands := v_bands || fn_band(p_limit.headroom, 'warn', 'near_limit');
  END IF;
  IF p_limit.headroom = 'Infinity' THEN
    RETURN v_bands;
  END IF;
  -- Beyond it: the rule.
  v_over := fn_over_permitted(p_limit);
  IF v_over > 0 THEN
    v_bands := v_bands || CASE p_limit.action
      WHEN 'warn' THEN fn_band(p_limit.headroom + v_over, 'warn', 'over_limit_warned')
      WHEN 'overage' THEN fn_band(p_limit.headroom + v_over, 'overage', 'over_limit_overage')
      WHEN 'grace' THEN fn_band(p_limit.headroom + v_over, 'grace', 'over_limit_grace') END;
  END IF;
  IF v_over < 'Infinity' THEN
    v_bands := v_bands || fn_band('Infinity', 'block', CASE p_limit.action
      WHEN 'overage' THEN 'overage_cap_reached' WHEN 'grace' THEN 'grace_exhausted' ELSE 'limit_exceeded' END);
  END IF;
  RETURN v_bands;
END $$;
COMMENT ON FUNCTION fn_bands IS
'The decision of one limit kind for every quantity: [{"up_to","outcome","reason"}], ascending, up_to in millionths, inclusive, null for the last. How rules decide (API.md) is here and nowhere else.';
