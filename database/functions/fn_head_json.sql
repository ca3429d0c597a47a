CREATE OR REPLACE FUNCTION fn_head_json(p_head signed_heads) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('namespace', p_head.namespace_id, 'number', p_head.head_number, 'chain', p_head.chain,
    'account_uuid', p_head.account_id, 'resource', p_head.resource_type_code, 'seq', p_head.chain_seq,
    'hash', encode(p_head.chain_hash, 'hex'), 'signed_at', fn_rfc3339(p_head.signed_at), 'key_id', p_head.key_id,
    'previous', encode(p_head.previous_signature, 'hex'), 'signature', encode(p_head.signature, 'hex'))
$$;
COMMENT ON FUNCTION fn_head_json IS 'A signed head as answers and exports show it: what was signed, and the signature (docs/LEDGER_CHAIN.md).';
