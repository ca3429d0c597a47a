CREATE OR REPLACE FUNCTION fn_key_revoked() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn_note(jsonb_build_object('namespace', NEW.namespace_id, 'revoked_key', encode(NEW.key_hash, 'hex')));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_key_revoked IS 'The edge need not ask about a revoked key any more.';

CREATE OR REPLACE TRIGGER api_keys_revoked AFTER UPDATE OF revoked_at ON api_keys
FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION fn_key_revoked();
