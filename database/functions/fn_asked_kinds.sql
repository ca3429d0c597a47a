CREATE OR REPLACE FUNCTION fn_asked_kinds(p_purpose text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_purpose
    WHEN 'consume' THEN '{cumulative,inventory,time_access}'::text[]
    WHEN 'lease' THEN '{concurrency}'
    WHEN 'assign' THEN '{inventory}'
    ELSE '{cumulative,inventory,concurrency,time_access}' END
$$;
COMMENT ON FUNCTION fn_asked_kinds IS 'The limit kinds that can answer for a purpose (any, consume, lease, assign), in decision order.';
