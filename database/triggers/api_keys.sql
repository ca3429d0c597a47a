CREATE OR REPLACE FUNCTION fn_key_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn_note(jsonb_build_object('namespace', NEW.namespace_id, 'api_key', encode(NEW.key_hash, 'hex')));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_key_changed IS 'The edge need not find out by itself that a key works no more, or not for as long.';

CREATE OR REPLACE TRIGGER api_keys_changed AFTER UPDATE OF revoked_at, expires_at ON api_keys
FOR EACH ROW EXECUTE FUNCTION fn_key_changed();
