CREATE OR REPLACE FUNCTION fn_page(p_request jsonb, p_rows jsonb[], p_keys jsonb[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_limit int := fn_page_limit(p_request);
  v_more boolean := cardinality(p_rows) > v_limit;
BEGIN
  RETURN jsonb_build_object(
    'data', coalesce(to_jsonb(p_rows[1:v_limit]), '[]'),
    'has_more', coalesce(v_more, false),
    'next_cursor', CASE WHEN v_more THEN fn_cursor_text(p_keys[v_limit]) END);
END $$;
COMMENT ON FUNCTION fn_page IS
'One page of a list: p_rows holds one row more than the limit if there are more; p_keys their sort keys, as JSON arrays of texts.';
