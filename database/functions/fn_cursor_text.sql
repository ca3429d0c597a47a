CREATE OR REPLACE FUNCTION fn_cursor_text(p_key jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT rtrim(translate(encode(convert_to(p_key::text, 'UTF8'), 'base64'), E'+/\n', '-_'), '=')
$$;
COMMENT ON FUNCTION fn_cursor_text IS 'A sort key as the cursor that fn_cursor reads.';
