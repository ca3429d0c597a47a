CREATE OR REPLACE FUNCTION api_snapshot_batch(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_namespace namespaces := fn_authorize_batch(p_credential, '{check}', p_request -> 'checks');
BEGIN
  PERFORM fn_resource_type(v_namespace.namespace_id, c.question ->> 'resource', format('checks.%s.resource', c.n - 1))
  FROM jsonb_array_elements(p_request -> 'checks') WITH ORDINALITY c (question, n);
  -- One statement of STABLE functions: all the snapshots are of one moment.
  RETURN (
    SELECT jsonb_build_object('auth', CASE WHEN p_request -> 'auth' = 'true' THEN fn_key_record(p_credential) END, 'snapshots', jsonb_agg(fn_snapshot(v_namespace, fn_account_uuid(v_namespace, c.question ->> 'account_id'),
      c.question ->> 'resource', c.question ->> 'scope', fn_clock(v_namespace, statement_timestamp()), (c.question ->> 'at')::timestamptz) ORDER BY c.n))
    FROM jsonb_array_elements(p_request -> 'checks') WITH ORDINALITY c (question, n)
  );
END $$;
COMMENT ON FUNCTION api_snapshot_batch IS
'POST /v1/check/batch: a snapshot for each check, in order, all of one moment; and, if the request says auth, what the key may do. Changes nothing. ME400 unknown_resource (checks.<index>.resource).';
