CREATE OR REPLACE FUNCTION api_heads_due(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  c_most CONSTANT int := 1000;
  v_namespace_id text := fn_jobs_namespace(p_credential);
  v_keys resource_state[] := fn_next_keys('sign_heads', v_namespace_id, c_most + 1);
  v_heads jsonb;
  v_last jsonb;
BEGIN
  IF v_keys IS NULL THEN
    RETURN '{"heads":[],"last":{},"more":true}';
  END IF;
  PERFORM fn_job_reached('sign_heads', v_namespace_id, v_keys[c_most + 1]);
  -- Of one moment: heads that another run has signed since are refused with the number that they would follow.
  WITH due AS MATERIALIZED (
    SELECT a.namespace_id, 'ledger' AS chain, k.account_id, k.resource_type_code AS resource, k.chain_seq, k.chain_hash
    FROM unnest(v_keys[1:c_most]) k JOIN accounts a USING (account_id)
    WHERE k.chain_seq > coalesce((
      SELECT max(h.chain_seq) FROM signed_heads h
      WHERE h.account_id = k.account_id AND h.resource_type_code = k.resource_type_code), 0)
    UNION ALL
    (SELECT t.namespace_id, 'audit', NULL, NULL, t.chain_seq, t.chain_hash
     FROM audit_heads t
     WHERE t.namespace_id = coalesce(v_namespace_id, t.namespace_id) AND t.chain_seq > coalesce((
       SELECT max(h.chain_seq) FROM signed_heads h WHERE h.namespace_id = t.namespace_id AND h.account_id IS NULL), 0)
     LIMIT c_most)
  )
  SELECT
    coalesce(jsonb_agg(jsonb_build_object('namespace', d.namespace_id, 'chain', d.chain, 'account_uuid', d.account_id,
        'resource', d.resource, 'seq', d.chain_seq, 'hash', encode(d.chain_hash, 'hex'))
      ORDER BY d.namespace_id COLLATE "C", d.chain, d.account_id, d.resource), '[]'),
    coalesce((
      SELECT jsonb_object_agg(s.namespace_id, jsonb_build_object('number', s.last_number, 'signature', encode(s.last_signature, 'hex')))
      FROM head_signing s WHERE s.namespace_id IN (SELECT n.namespace_id FROM due n)
    ), '{}')
  INTO v_heads, v_last
  FROM due d;
  RETURN jsonb_build_object(
    'heads', v_heads,
    'last', v_last,
    'signed_at', fn_rfc3339(date_trunc('milliseconds', clock_timestamp())),
    'more', (v_keys[c_most + 1]).account_id IS NOT NULL);
END $$;
COMMENT ON FUNCTION api_heads_due IS
'The job sign_heads, first half: the next heads of chains that have moved since they were last signed, the last signature of each of their namespaces, the instant to sign them as of, and whether there are more. The Worker signs them (docs/LEDGER_CHAIN.md) and gives them to api_heads_store.';
