CREATE OR REPLACE FUNCTION fn_verdicts(p_limits limit_state[], p_suspended boolean, p_quantity numeric, p_purpose text) RETURNS limit_verdict[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_asked_kinds text[] := fn_asked_kinds(p_purpose);
  v_verdicts limit_verdict[] := '{}';
  v_limit limit_state;
  v_last int := coalesce(cardinality(p_limits), 0);
  v_asked numeric;
  v_bands jsonb;
  v_band int;
BEGIN
  FOR i IN 1 .. v_last LOOP
    v_limit := p_limits[i];
    CONTINUE WHEN NOT v_limit.limit_kind_code = ANY (v_asked_kinds);
    IF cardinality(v_verdicts) = 0 THEN
      -- The first in decision order takes the quantity; time access comes last, so it is first only alone.
      v_asked := p_quantity;
    ELSIF p_purpose = 'consume' THEN
      -- Draws on its first kind only; time access has to admit the same quantity.
      CONTINUE WHEN v_limit.limit_kind_code <> 'time_access';
      v_asked := p_quantity;
    ELSE
      v_asked := CASE WHEN p_quantity = 0 THEN 0 ELSE 1 END;
    END IF;
    IF p_suspended THEN
      v_verdicts := v_verdicts || ROW(i, v_asked, greatest(v_asked - v_limit.headroom, 0), 'block', 'account_suspended')::limit_verdict;
      CONTINUE;
    END IF;
    v_bands := fn_bands(v_limit);
    v_band := 0;
    WHILE (v_bands -> v_band ->> 'up_to')::numeric < v_asked * 1000000 LOOP
      v_band := v_band + 1;
    END LOOP;
    v_verdicts := v_verdicts || ROW(i, v_asked, greatest(v_asked - v_limit.headroom, 0),
      v_bands -> v_band ->> 'outcome', v_bands -> v_band ->> 'reason')::limit_verdict;
  END LOOP;
  RETURN v_verdicts;
END $$;
COMMENT ON FUNCTION fn_verdicts IS
'What each limit kind that a purpose (any, consume, lease, assign) asks answers for a quantity, in decision order: the band that holds it. The edge does the same in core/verdict; a differential test holds them together. Empty: none of them is in force.';
