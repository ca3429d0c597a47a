CREATE OR REPLACE FUNCTION fn_snapshot_moved(p_snapshot jsonb, p_quantity numeric, p_key_version bigint, p_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_moved numeric := trunc(p_quantity * 1000000);
  v_kind jsonb := p_snapshot #> '{kinds,0}';
  v_bands jsonb := v_kind -> 'bands';
  v_up_to numeric;
  v_n int := 0;
BEGIN
  -- Only the last has no bound.
  LOOP
    v_up_to := v_bands -> v_n ->> 'up_to';
    EXIT WHEN v_up_to IS NULL;
    v_bands := jsonb_set(v_bands, ARRAY[v_n::text, 'up_to'], to_jsonb((v_up_to - v_moved)::text));
    v_n := v_n + 1;
  END LOOP;
  RETURN p_snapshot || jsonb_build_object('key_version', p_key_version, 'as_of', fn_rfc3339(p_at), 'kinds', jsonb_build_array(
    v_kind || jsonb_build_object('used', ((v_kind ->> 'used')::numeric + v_moved)::text,
      'remaining', ((v_kind ->> 'remaining')::numeric - v_moved)::text, 'bands', v_bands)));
END $$;
COMMENT ON FUNCTION fn_snapshot_moved IS
'The snapshot of a continuation after a use within its room. Such a use goes into the first band and is all within the limit, so every bound comes nearer by its quantity and nothing else changes: a property test holds this to fn_snapshot.';
