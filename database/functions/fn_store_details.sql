CREATE OR REPLACE FUNCTION fn_store_details(p_entry_id uuid, p_account_id uuid, p_metadata jsonb) RETURNS bytea
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_salt bytea := gen_random_bytes(16);
BEGIN
  INSERT INTO ledger_details (entry_id, account_id, metadata, salt) VALUES (p_entry_id, p_account_id, p_metadata, v_salt);
  RETURN fn_details_hash(v_salt, p_metadata);
END $$;
COMMENT ON FUNCTION fn_store_details IS
'Keeps an entry''s personal strings outside the ledger; gives the salted SHA-256 that the ledger holds in their place, so that they can be erased.';
