CREATE OR REPLACE FUNCTION fn_account_uuid(p_namespace namespaces, p_account text) RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_uuid uuid;
BEGIN
  IF p_namespace.raw_uuids AND p_account ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN
    v_uuid := p_account::uuid;
    IF NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = v_uuid AND a.namespace_id <> p_namespace.namespace_id) THEN
      RETURN v_uuid;
    END IF;
  END IF;
  RETURN uuid_generate_v5(p_namespace.account_seed, p_account);
END $$;
COMMENT ON FUNCTION fn_account_uuid IS
'The account id behind the caller''s string: a UUID as it is where the namespace allows raw ones and no other namespace owns it; else the UUID v5 of the string under the namespace''s secret seed.';
