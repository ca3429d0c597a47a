CREATE OR REPLACE FUNCTION fn_audit_json(p_audit audit_log, p_details audit_details) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_account text := coalesce(fn_account_label(p_audit.account_id), p_audit.account_id::text);
  v_token uuid := substring(p_audit.actor FROM '^token:(.*)$');
BEGIN
  RETURN jsonb_build_object(
    'audit_id', p_audit.audit_id, 'at', fn_rfc3339(p_audit.changed_at),
    'actor', CASE WHEN v_token IS NULL THEN p_audit.actor ELSE 'token:' || coalesce(fn_account_label(v_token), v_token::text) END,
    'request_id', p_audit.request_id, 'action', p_audit.action, 'object_type', p_audit.object_type,
    'object_id', CASE p_audit.object_type WHEN 'account' THEN v_account ELSE p_audit.object_id END, 'account_id', v_account,
    'before', fn_audit_shown(p_audit.before, p_details.before), 'after', fn_audit_shown(p_audit.after, p_details.after),
    'erased', p_audit.details_hash IS NOT NULL AND p_details.audit_id IS NULL);
END $$;
COMMENT ON FUNCTION fn_audit_json IS 'An entry of the audit trail as answers show it: with accounts as their caller writes them, and its personal strings while they exist.';
