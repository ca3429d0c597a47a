CREATE OR REPLACE FUNCTION fn_batch_settle(p_items usage_item[], p_settled usage_item[]) RETURNS usage_item[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_item usage_item;
BEGIN
  FOREACH v_item IN ARRAY p_settled LOOP
    p_items[v_item.n] := v_item;
  END LOOP;
  RETURN p_items;
END $$;
COMMENT ON FUNCTION fn_batch_settle IS 'A batch with some of its uses as they came out.';
