CREATE OR REPLACE FUNCTION fn_lease_json(p_lease concurrency_leases, p_account text, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'lease_id', p_lease.lease_id, 'account_id', p_account, 'resource', p_lease.resource_type_code, 'scope', p_lease.resource_scope,
    'holder', p_lease.holder, 'units', p_lease.units,
    'status', coalesce(p_lease.end_status, CASE WHEN p_lease.expires_at > p_now THEN 'active' ELSE 'expired' END),
    'fencing_token', p_lease.fencing_token, 'acquired_at', fn_rfc3339(p_lease.acquired_at),
    'heartbeat_at', fn_rfc3339(p_lease.heartbeat_at), 'expires_at', fn_rfc3339(p_lease.expires_at),
    'released_at', CASE WHEN p_lease.end_status IN ('released', 'revoked') THEN fn_rfc3339(p_lease.ended_at) END,
    'metadata', p_lease.metadata)
$$;
COMMENT ON FUNCTION fn_lease_json IS 'A lease as answers show it: past expires_at it is expired, whether or not a job has recorded that.';
