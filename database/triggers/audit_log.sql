CREATE OR REPLACE FUNCTION fn_audit_chained() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_head audit_heads;
BEGIN
  -- The heads come last of all locks, together and by their names, so that nobody waits while holding one.
  INSERT INTO audit_heads (namespace_id)
  SELECT n FROM unnest(string_to_array(current_setting('mec.audited', true), ' ') || NEW.namespace_id) n
  WHERE NOT EXISTS (SELECT FROM audit_heads h WHERE h.namespace_id = n)
  GROUP BY n ORDER BY n COLLATE "C" ON CONFLICT DO NOTHING;
  PERFORM FROM audit_heads h WHERE h.namespace_id = ANY (string_to_array(current_setting('mec.audited', true), ' '))
  ORDER BY h.namespace_id COLLATE "C" FOR UPDATE;
  PERFORM set_config('mec.audited', '', true);
  UPDATE audit_heads h SET chain_seq = h.chain_seq + 1, chain_hash = fn_audit_hash(h.chain_hash, h.chain_seq + 1, NEW)
  WHERE h.namespace_id = NEW.namespace_id RETURNING h.* INTO v_head;
  INSERT INTO audit_chain (namespace_id, chain_seq, audit_id, chain_hash)
  VALUES (v_head.namespace_id, v_head.chain_seq, NEW.audit_id, v_head.chain_hash);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_audit_chained IS
'At the commit, puts an entry of the audit trail into the hash chain of its namespace: so the trail''s order is that of the commits, and no command waits for another''s trail while it works.';

-- A constraint trigger cannot be replaced.
DROP TRIGGER IF EXISTS audit_log_chained ON audit_log;
CREATE CONSTRAINT TRIGGER audit_log_chained AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fn_audit_chained();
