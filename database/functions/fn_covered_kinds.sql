CREATE OR REPLACE FUNCTION fn_covered_kinds(p_states entitlement_state[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  -- Nearly always there is one entitlement, or none.
  IF cardinality(p_states) < 2 THEN
    RETURN CASE WHEN p_states[1].covers THEN ARRAY[p_states[1].limit_kind_code] ELSE '{}' END;
  END IF;
  RETURN ARRAY(
    SELECT k.kind FROM unnest(fn_asked_kinds('any')) WITH ORDINALITY k (kind, n)
    WHERE EXISTS (SELECT FROM unnest(p_states) s WHERE s.covers AND s.limit_kind_code = k.kind) ORDER BY k.n
  );
END $$;
COMMENT ON FUNCTION fn_covered_kinds IS 'The limit kinds among the states that cover the scope asked for, in decision order.';
