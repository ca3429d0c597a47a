CREATE OR REPLACE FUNCTION fn_account_appears() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- Looked for first: the insert alone would wait for whoever is changing the account, and that waits for the resource.
  IF NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = NEW.account_id) THEN
    INSERT INTO accounts (account_id) VALUES (NEW.account_id) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION fn_account_appears IS 'Accounts appear by themselves on first use; one that SQL names first belongs to the namespace default.';

CREATE OR REPLACE TRIGGER resource_state_account_appears BEFORE INSERT ON resource_state
FOR EACH ROW EXECUTE FUNCTION fn_account_appears();

CREATE OR REPLACE FUNCTION fn_account_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn_bump_resources((
    SELECT array_agg(s) FROM resource_state s JOIN changed c USING (account_id) JOIN changing o USING (account_id)
    WHERE (c.status, c.timezone) <> (o.status, o.timezone)
  ));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_account_changed IS 'A new status or timezone makes every cached answer about the account stale.';

CREATE OR REPLACE TRIGGER accounts_changed AFTER UPDATE ON accounts
REFERENCING OLD TABLE AS changing NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_account_changed();
