CREATE OR REPLACE FUNCTION fn_multiplied(p_granted numeric, p_quantity numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
  SELECT trim_scale(round(p_granted * p_quantity, 6))
$$;
COMMENT ON FUNCTION fn_multiplied IS 'What a plan grants × a subscription''s quantity, half up to 6 decimals; null is unlimited.';
