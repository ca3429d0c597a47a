CREATE OR REPLACE FUNCTION fn_scope_covers(p_entitled text, p_requested text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT p_entitled IS NULL OR coalesce(starts_with(p_requested || '/', p_entitled || '/'), false)
$$;
COMMENT ON FUNCTION fn_scope_covers IS
'Whether an entitlement''s scope covers a requested one: null covers all, us covers us and us/h100; a request without scope is covered by null only.';
