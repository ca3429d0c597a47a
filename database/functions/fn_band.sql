CREATE OR REPLACE FUNCTION fn_band(p_up_to numeric, p_outcome text, p_reason text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN jsonb_build_object('up_to', fn_millionths(p_up_to), 'outcome', p_outcome, 'reason', p_reason);
END $$;
COMMENT ON FUNCTION fn_band IS 'One band of fn_bands. (plpgsql: set up once for all the bands of a statement.)';
