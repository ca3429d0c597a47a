CREATE OR REPLACE FUNCTION fn_note(p_note jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('mec.notes', concat(current_setting('mec.notes', true), p_note, ','), true);
END $$;
COMMENT ON FUNCTION fn_note IS
'Notes, until the end of the transaction, what the edge must hear of: {account_id, resource, snapshot, holders} for a key whose version moved or whose state is known (the last two may be absent; account: as it was written, if it is not any more), {namespace} for a configuration that did, {namespace, api_key: SHA-256 in hex} for an API key that was revoked or given another end. fn_told tells it.';
