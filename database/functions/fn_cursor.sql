CREATE OR REPLACE FUNCTION fn_cursor(p_request jsonb, p_types text[]) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_cursor text[];
BEGIN
  IF p_request ->> 'cursor' IS NULL THEN
    RETURN NULL;
  END IF;
  BEGIN
    v_cursor := ARRAY(SELECT jsonb_array_elements_text(convert_from(decode(
      rpad(translate(p_request ->> 'cursor', '-_', '+/'), (length(p_request ->> 'cursor') + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb));
    FOR i IN 1 .. cardinality(p_types) LOOP
      EXECUTE format('SELECT %L::%s', v_cursor[i], p_types[i]);
    END LOOP;
  EXCEPTION WHEN OTHERS THEN
    v_cursor := NULL;
  END;
  IF cardinality(v_cursor) IS DISTINCT FROM cardinality(p_types) THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'cursor must be the next_cursor of an earlier page', 'cursor');
  END IF;
  RETURN v_cursor;
END $$;
COMMENT ON FUNCTION fn_cursor IS
'The position in a request''s cursor: the values of the sort key, of these types, null for the first page. ME400 invalid_parameter (cursor).';
