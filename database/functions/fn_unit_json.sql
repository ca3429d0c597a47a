CREATE OR REPLACE FUNCTION fn_unit_json(p_unit unit_types) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('unit', p_unit.unit_code, 'dimension', p_unit.dimension, 'factor', fn_number(p_unit.factor))
$$;
COMMENT ON FUNCTION fn_unit_json IS 'A unit as answers show it.';
