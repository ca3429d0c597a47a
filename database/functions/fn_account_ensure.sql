CREATE OR REPLACE FUNCTION fn_account_ensure(p_namespace namespaces, p_account text) RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_account_id uuid := fn_account_uuid(p_namespace, p_account);
  v_is_erased boolean;
BEGIN
  SELECT a.erased_at IS NOT NULL AND a.external_id IS NULL AND p_account <> v_account_id::text INTO v_is_erased
  FROM accounts a WHERE a.account_id = v_account_id;
  IF v_is_erased THEN
    -- Whoever uses it again gives it its name again.
    UPDATE accounts a SET external_id = p_account WHERE a.account_id = v_account_id;
  END IF;
  IF v_is_erased IS NOT NULL THEN
    RETURN v_account_id;
  END IF;
  INSERT INTO accounts (account_id, namespace_id, external_id, created_at)
  VALUES (v_account_id, p_namespace.namespace_id, nullif(p_account, v_account_id::text), fn_clock(p_namespace, clock_timestamp()))
  ON CONFLICT DO NOTHING;
  -- Another namespace may have taken the same raw UUID meanwhile: then the string maps like any other.
  IF fn_account_uuid(p_namespace, p_account) <> v_account_id THEN
    RETURN fn_account_ensure(p_namespace, p_account);
  END IF;
  RETURN v_account_id;
END $$;
COMMENT ON FUNCTION fn_account_ensure IS
'The account id behind the caller''s string, its row made if it has none. Locks nothing that exists, but for an account that was erased and is used again.';
