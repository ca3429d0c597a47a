CREATE OR REPLACE FUNCTION fn_draw_kind(p_states entitlement_state[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_kind text;
BEGIN
  FOREACH v_kind IN ARRAY fn_covered_kinds(p_states) LOOP
    IF v_kind = ANY (fn_asked_kinds('consume')) THEN
      RETURN v_kind;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_draw_kind IS
'The limit kind that a use draws on: the first in force of cumulative, inventory and time_access. Null: nothing covers it.';
