CREATE OR REPLACE FUNCTION api_lease_heartbeat(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize(p_credential, '{lease}', p_credential ->> 'account');
  v_lease concurrency_leases := fn_lease_locked((p_request ->> 'lease_id')::uuid, v_namespace.namespace_id);
BEGIN
  PERFORM fn_confine(p_credential, v_namespace, v_lease.account_id);
  v_lease := fn_lease_heartbeat(v_lease, (p_request ->> 'ttl_seconds')::int);
  RETURN jsonb_build_object('lease', fn_lease_json(v_lease, fn_account_label(v_lease.account_id), fn_now(v_namespace.namespace_id)));
END $$;
COMMENT ON FUNCTION api_lease_heartbeat IS 'POST /v1/leases/{id}/heartbeat.';
