CREATE OR REPLACE FUNCTION fn_give_back(p_states entitlement_state[], p_quantity numeric) RETURNS entitlement_state[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_left numeric := -p_quantity;
  v_take numeric;
BEGIN
  FOR i IN REVERSE cardinality(p_states) .. 1 LOOP
    CONTINUE WHEN NOT p_states[i].covers OR p_states[i].limit_kind_code <> 'inventory';
    v_take := least(v_left, p_states[i].used);
    p_states[i].used := p_states[i].used - v_take;
    v_left := v_left - v_take;
  END LOOP;
  RETURN p_states;
END $$;
COMMENT ON FUNCTION fn_give_back IS
'The inventory states after items were given back, in reverse draw order; their sum is what laying the stock afresh gives.';
