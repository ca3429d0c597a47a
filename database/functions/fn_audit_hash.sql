CREATE OR REPLACE FUNCTION fn_audit_hash(p_previous bytea, p_seq bigint, p_audit audit_log) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN fn_chain_hash(p_previous, ARRAY[
    'mec-audit-1', p_seq::text, p_audit.audit_id::text, p_audit.namespace_id, p_audit.account_id::text, p_audit.actor, p_audit.request_id,
    p_audit.action, p_audit.object_type, p_audit.object_id, p_audit.before::text, p_audit.after::text,
    encode(p_audit.details_hash, 'hex'), fn_micros(p_audit.changed_at)]);
END $$;
COMMENT ON FUNCTION fn_audit_hash IS
'The chain_hash of an entry of the audit trail as the p_seq-th of its namespace, after p_previous (null: it is the first): docs/LEDGER_CHAIN.md.';
