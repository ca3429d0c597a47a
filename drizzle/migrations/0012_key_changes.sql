-- The trigger api_keys_changed has taken its place.
DROP TRIGGER IF EXISTS api_keys_revoked ON api_keys;--> statement-breakpoint
DROP FUNCTION IF EXISTS fn_key_revoked();
