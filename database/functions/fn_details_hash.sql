CREATE OR REPLACE FUNCTION fn_details_hash(p_salt bytea, p_details jsonb) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT digest(p_salt || convert_to(p_details::text, 'UTF8'), 'sha256')
$$;
COMMENT ON FUNCTION fn_details_hash IS 'What an append-only record holds in the place of personal strings: their salted SHA-256.';
