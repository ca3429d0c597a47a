CREATE OR REPLACE FUNCTION fn_told(p_result jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_notes text := current_setting('mec.notes', true);
BEGIN
  IF coalesce(v_notes, '') = '' THEN
    RETURN p_result;
  END IF;
  PERFORM set_config('mec.notes', '', true);
  RETURN p_result || jsonb_build_object('changes', fn_changes(('[' || rtrim(v_notes, ',') || ']')::jsonb));
END $$;
COMMENT ON FUNCTION fn_told IS
'The result of a command with what it changed, in `changes` (database/README.md): the Worker calls within this what does not say it by itself.';
