CREATE OR REPLACE FUNCTION fn_audit_write(
  p_action text, p_object_type text, p_object_id text, p_namespace_id text, p_account_id uuid, p_before jsonb, p_after jsonb, p_personal text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_audit_id uuid := fn_uuid7();
  v_before jsonb := fn_audit_personal(p_before, p_personal);
  v_after jsonb := fn_audit_personal(p_after, p_personal);
  v_salt bytea;
  v_audited text := coalesce(current_setting('mec.audited', true), '');
BEGIN
  -- Whose chains this transaction adds to when it commits.
  IF NOT p_namespace_id = ANY (string_to_array(v_audited, ' ')) THEN
    PERFORM set_config('mec.audited', concat_ws(' ', nullif(v_audited, ''), p_namespace_id), true);
  END IF;
  IF v_before IS NOT NULL OR v_after IS NOT NULL THEN
    v_salt := gen_random_bytes(16);
    INSERT INTO audit_details (audit_id, account_id, before, after, salt) VALUES (v_audit_id, p_account_id, v_before, v_after, v_salt);
  END IF;
  INSERT INTO audit_log (audit_id, namespace_id, account_id, actor, request_id, action, object_type, object_id, before, after, details_hash, changed_at)
  VALUES (v_audit_id, p_namespace_id, p_account_id,
    coalesce(nullif(current_setting('mec.actor', true), ''), 'role:' || session_user), nullif(current_setting('mec.request_id', true), ''),
    p_action, p_object_type, p_object_id,
    p_before - ARRAY(SELECT jsonb_object_keys(v_before)), p_after - ARRAY(SELECT jsonb_object_keys(v_after)),
    fn_details_hash(v_salt, jsonb_build_object('before', v_before, 'after', v_after)), date_trunc('milliseconds', clock_timestamp()));
END $$;
COMMENT ON FUNCTION fn_audit_write IS
'Puts one change into the audit trail: images of the object before and after, of which the fields p_personal go to audit_details, from where they can be erased. The trail keeps real time, whatever the namespace''s clock says.';
