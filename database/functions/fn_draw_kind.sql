CREATE OR REPLACE FUNCTION fn_draw_kind(p_states entitlement_state[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN (
    SELECT s.limit_kind_code FROM unnest(p_states) s
    WHERE s.covers AND s.limit_kind_code = ANY (fn_asked_kinds('consume'))
    ORDER BY array_position(fn_asked_kinds('consume'), s.limit_kind_code) LIMIT 1
  );
END $$;
COMMENT ON FUNCTION fn_draw_kind IS
'The limit kind that a use draws on: the first in force of cumulative, inventory and time_access. Null: nothing covers it.';
