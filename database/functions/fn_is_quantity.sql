CREATE OR REPLACE FUNCTION fn_is_quantity(p_quantity numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  -- 15 digits and a point. NaN is above every number.
  SELECT abs(p_quantity) < 1e15 AND scale(p_quantity) <= 6 AND length(abs(p_quantity)::text) <= 16
$$;
COMMENT ON FUNCTION fn_is_quantity IS
'Whether a number, its scale trimmed, is a quantity that answers carry exactly: below 10^15, of at most 15 significant digits and 6 decimals. Null for null.';
