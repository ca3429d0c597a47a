CREATE OR REPLACE FUNCTION fn_chain_hash(p_previous bytea, p_fields text[]) RETURNS bytea
LANGUAGE sql STABLE AS $$
  -- STABLE like what it calls: else it could not be inlined, and is called with every entry.
  SELECT sha256(coalesce(p_previous, '') || convert_to(array_to_json(p_fields)::text, 'UTF8'))
$$;
COMMENT ON FUNCTION fn_chain_hash IS
'A link of a hash chain: SHA-256 of the hash before it (null: it is the first) and of its fields, as a JSON array of strings and nulls without spaces.';
