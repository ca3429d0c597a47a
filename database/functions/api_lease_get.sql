CREATE OR REPLACE FUNCTION api_lease_get(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{read,lease}', p_credential ->> 'account');
  v_lease concurrency_leases;
BEGIN
  SELECT l.* INTO v_lease FROM concurrency_leases l
  WHERE l.lease_id = (p_request ->> 'lease_id')::uuid AND l.namespace_id = v_namespace.namespace_id;
  IF NOT FOUND THEN
    PERFORM fn_fail(404, 'not_found', 'there is no such lease', 'lease_id');
  END IF;
  PERFORM fn_confine(p_credential, v_namespace, v_lease.account_id);
  RETURN jsonb_build_object('lease', fn_lease_json(v_lease, fn_account_label(v_lease.account_id), fn_now(v_namespace.namespace_id)));
END $$;
COMMENT ON FUNCTION api_lease_get IS 'GET /v1/leases/{id}.';
