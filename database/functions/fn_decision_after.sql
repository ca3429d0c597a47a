CREATE OR REPLACE FUNCTION fn_decision_after(p_decision jsonb, p_kind text, p_states entitlement_state[], p_limits limit_state[], p_now timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state jsonb := fn_state_json(p_states, p_kind);
  v_limits jsonb := '[]';
  v_limit jsonb;
BEGIN
  FOR v_limit IN SELECT l FROM jsonb_array_elements(p_decision -> 'limits') l LOOP
    v_limits := v_limits || CASE WHEN v_limit ->> 'limit_kind' = p_kind THEN v_limit || v_state ELSE v_limit END;
  END LOOP;
  IF (SELECT l ->> 'limit_kind' FROM jsonb_array_elements(p_decision -> 'limits') l
      WHERE l -> 'outcome' = p_decision -> 'outcome' LIMIT 1) = p_kind THEN
    p_decision := p_decision || v_state;
    IF p_decision ->> 'outcome' = 'grace' AND p_decision -> 'grace' -> 'until' = 'null' THEN
      -- This is the use that crosses the limit: its clock starts now.
      p_decision := jsonb_set(p_decision, '{grace,until}', coalesce(to_jsonb(fn_rfc3339(p_now + make_interval(secs => (
        SELECT l.grace_seconds FROM unnest(p_limits) l WHERE l.limit_kind_code = p_kind)))), 'null'));
    END IF;
  END IF;
  RETURN p_decision || jsonb_build_object('limits', v_limits);
END $$;
COMMENT ON FUNCTION fn_decision_after IS 'A decision with the counts as they are after the write.';
