CREATE OR REPLACE FUNCTION fn_band(p_up_to numeric, p_outcome text, p_reason text) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('up_to', fn_millionths(p_up_to), 'outcome', p_outcome, 'reason', p_reason)
$$;
COMMENT ON FUNCTION fn_band IS 'One band of fn_bands.';
