CREATE OR REPLACE FUNCTION fn_verdicts_json(p_limits limit_state[], p_verdicts limit_verdict[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_verdict limit_verdict;
  v_limit limit_state;
  v_result jsonb := '[]';
BEGIN
  FOREACH v_verdict IN ARRAY p_verdicts LOOP
    v_limit := p_limits[v_verdict.n];
    v_result := v_result || jsonb_build_object('limit_kind', v_limit.limit_kind_code, 'outcome', v_verdict.outcome, 'reason', v_verdict.reason,
      'over', fn_millionths(v_verdict.over),
      'grace_left', CASE WHEN v_limit.action = 'grace' THEN fn_millionths(greatest(fn_over_permitted(v_limit) - v_verdict.over, 0)) END);
  END LOOP;
  RETURN v_result;
END $$;
COMMENT ON FUNCTION fn_verdicts_json IS
'Verdicts on the limits before a write, as the edge takes them (database/README.md): over, how much of the quantity is beyond the headroom, and grace_left, what the grace then still permits.';
