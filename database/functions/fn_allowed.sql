CREATE OR REPLACE FUNCTION fn_allowed(p_verdicts limit_verdict[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_verdict limit_verdict;
BEGIN
  FOREACH v_verdict IN ARRAY p_verdicts LOOP
    IF v_verdict.outcome = 'block' THEN
      RETURN false;
    END IF;
  END LOOP;
  RETURN cardinality(p_verdicts) > 0;
END $$;
COMMENT ON FUNCTION fn_allowed IS 'All that were asked must allow, and there must be one.';
