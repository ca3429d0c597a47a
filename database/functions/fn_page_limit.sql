CREATE OR REPLACE FUNCTION fn_page_limit(p_request jsonb) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
  SELECT least(greatest(coalesce((p_request ->> 'limit')::int, 20), 1), 100)
$$;
COMMENT ON FUNCTION fn_page_limit IS 'Rows on a page: 20 unless asked for, 1 to 100.';
