CREATE OR REPLACE FUNCTION api_heads_store(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_own text := fn_jobs_namespace(p_credential);
  v_namespace_id text;
  v_last head_signing;
  v_heads jsonb;
  v_stored int := 0;
BEGIN
  FOR v_namespace_id, v_heads IN
    SELECT h ->> 'namespace', jsonb_agg(h ORDER BY (h ->> 'number')::bigint) FROM jsonb_array_elements(p_request -> 'heads') h
    WHERE h ->> 'namespace' = coalesce(v_own, h ->> 'namespace')
    GROUP BY 1 ORDER BY 1
  LOOP
    INSERT INTO head_signing (namespace_id) VALUES (v_namespace_id) ON CONFLICT DO NOTHING;
    SELECT s.* INTO v_last FROM head_signing s WHERE s.namespace_id = v_namespace_id FOR UPDATE;
    -- Another run was faster: what it has not signed is due again.
    CONTINUE WHEN v_last.last_number + 1 <> (v_heads -> 0 ->> 'number')::bigint
      OR encode(v_last.last_signature, 'hex') IS DISTINCT FROM v_heads -> 0 ->> 'previous';
    INSERT INTO signed_heads (namespace_id, head_number, chain, account_id, resource_type_code, chain_seq, chain_hash, signed_at, key_id,
      previous_signature, signature)
    SELECT h.namespace, h.number, h.chain, h.account_uuid, h.resource, h.seq, decode(h.hash, 'hex'), h.signed_at, h.key_id,
      decode(h.previous, 'hex'), decode(h.signature, 'hex')
    FROM jsonb_to_recordset(v_heads) h (namespace text, number bigint, chain text, account_uuid uuid, resource text, seq bigint, hash text,
      signed_at timestamptz, key_id text, previous text, signature text);
    UPDATE head_signing s SET last_number = (v_heads -> -1 ->> 'number')::bigint, last_signature = decode(v_heads -> -1 ->> 'signature', 'hex')
    WHERE s.namespace_id = v_namespace_id;
    v_stored := v_stored + jsonb_array_length(v_heads);
  END LOOP;
  RETURN jsonb_build_object('stored', v_stored);
END $$;
COMMENT ON FUNCTION api_heads_store IS
'The job sign_heads, second half: keeps signed heads, of each namespace all if they follow on its last, else none. stored: how many.';
