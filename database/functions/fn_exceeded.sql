CREATE OR REPLACE FUNCTION fn_exceeded(p_limits limit_state[], p_limit_kind text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM unnest(p_limits) l WHERE l.limit_kind_code = p_limit_kind AND l.over > 0);
END $$;
COMMENT ON FUNCTION fn_exceeded IS 'Whether the limit of a kind is exceeded, in any scope.';
