CREATE OR REPLACE FUNCTION fn_audit_shown(p_image jsonb, p_personal jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN p_image || coalesce(p_personal, '{}') || CASE WHEN p_image ->> 'account_id' IS NULL THEN '{}' ELSE
    jsonb_build_object('account_id', coalesce(fn_account_label((p_image ->> 'account_id')::uuid), p_image ->> 'account_id')) END;
END $$;
COMMENT ON FUNCTION fn_audit_shown IS 'An image of a row, made whole again, with its account as the caller writes it.';
