CREATE OR REPLACE FUNCTION fn_request_hash(VARIADIC p_parts text[]) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(convert_to(array_to_json(p_parts)::text, 'UTF8'))
$$;
COMMENT ON FUNCTION fn_request_hash IS
'SHA-256 of what makes two requests the same for idempotency. Quantities come trimmed, times as fn_rfc3339.';
