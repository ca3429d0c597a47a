CREATE OR REPLACE FUNCTION fn_lease_locked(p_lease_id uuid, p_namespace_id text DEFAULT NULL) RETURNS concurrency_leases
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_lease concurrency_leases;
BEGIN
  SELECT l.* INTO v_lease FROM concurrency_leases l
  WHERE l.lease_id = p_lease_id AND (p_namespace_id IS NULL OR l.namespace_id = p_namespace_id);
  IF FOUND THEN
    PERFORM fn_lock_resource(v_lease.account_id, v_lease.resource_type_code, false);
    SELECT l.* INTO v_lease FROM concurrency_leases l WHERE l.lease_id = p_lease_id;
  ELSIF p_namespace_id IS NOT NULL THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such lease', 'lease_id');
  END IF;
  RETURN v_lease;
END $$;
COMMENT ON FUNCTION fn_lease_locked IS
'A lease as it stands once its resource is locked. Unknown: ME404 not_found if a namespace was given, else null.';
