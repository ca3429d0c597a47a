CREATE OR REPLACE FUNCTION fn_audit_personal(p_image jsonb, p_names text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN (SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(p_image) c WHERE c.key = ANY (p_names) AND c.value NOT IN ('null', '{}'));
END $$;
COMMENT ON FUNCTION fn_audit_personal IS 'The personal strings in an image of a row; null if it has none.';
