CREATE OR REPLACE FUNCTION fn_account_label(p_account_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT coalesce(a.external_id, a.account_id::text) FROM accounts a WHERE a.account_id = p_account_id);
END $$;
COMMENT ON FUNCTION fn_account_label IS 'An account as its caller writes it.';
