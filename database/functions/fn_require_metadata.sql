CREATE OR REPLACE FUNCTION fn_require_metadata(p_metadata jsonb) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF jsonb_typeof(p_metadata) NOT IN ('object', 'null') OR octet_length(p_metadata::text) > 4096 THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'metadata must be an object of at most 4 KiB as JSON text', 'metadata');
  END IF;
END $$;
COMMENT ON FUNCTION fn_require_metadata IS
'ME400 invalid_parameter (metadata) for what SQL users write and HTTP would not have taken. Measured as Postgres writes it, with spaces, which HTTP''s 4 KiB are without.';
