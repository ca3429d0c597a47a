CREATE OR REPLACE FUNCTION fn_handed_on_at(p_entitlement entitlements) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- By starts, which never change; what was called off before it began took nothing over.
  RETURN coalesce((
    SELECT min(n.effective_start) FROM entitlements n
    WHERE n.account_id = p_entitlement.account_id AND n.resource_type_code = p_entitlement.resource_type_code
      AND n.bucket_id = p_entitlement.bucket_id AND n.effective_start > p_entitlement.effective_start
      AND coalesce(n.revoked_at, 'infinity') > n.effective_start), 'infinity');
END $$;
COMMENT ON FUNCTION fn_handed_on_at IS 'When another entitlement took over the bucket of this one; infinity: none did.';
