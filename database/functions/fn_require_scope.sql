CREATE OR REPLACE FUNCTION fn_require_scope(p_scope text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_scope IS NOT NULL THEN
    PERFORM fn_require_text(p_scope, 'scope');
    IF '/' || p_scope || '/' LIKE '%//%' THEN
      PERFORM fn_fail(400, 'invalid_parameter', 'scope must be a path of non-empty segments between slashes', 'scope');
    END IF;
  END IF;
END $$;
COMMENT ON FUNCTION fn_require_scope IS 'ME400 invalid_parameter (scope) for what SQL users write and HTTP would not have taken as a scope.';
