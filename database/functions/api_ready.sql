CREATE OR REPLACE FUNCTION api_ready() RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN jsonb_build_object('ready', EXISTS (SELECT FROM namespaces) AND EXISTS (SELECT FROM window_types));
END $$;
COMMENT ON FUNCTION api_ready IS 'GET /readyz: whether the schema and its look-up data are there.';
