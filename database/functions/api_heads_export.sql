CREATE OR REPLACE FUNCTION api_heads_export(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  c_most CONSTANT int := 1000;
  v_own text := fn_jobs_namespace(p_credential);
  v_heads jsonb;
BEGIN
  UPDATE head_signing s SET exported_number = greatest(s.exported_number, (p_request ->> 'through')::bigint)
  WHERE s.namespace_id = p_request ->> 'namespace' AND s.namespace_id = coalesce(v_own, s.namespace_id);
  SELECT jsonb_agg(fn_head_json(h) ORDER BY h.head_number) INTO v_heads
  FROM (
    SELECT h.* FROM signed_heads h
    JOIN (
      SELECT s.namespace_id, s.exported_number FROM head_signing s
      WHERE s.exported_number < s.last_number AND s.namespace_id = coalesce(v_own, s.namespace_id)
      ORDER BY s.namespace_id LIMIT 1
    ) s USING (namespace_id)
    WHERE h.head_number > s.exported_number ORDER BY h.head_number LIMIT c_most
  ) h;
  RETURN jsonb_build_object('heads', coalesce(v_heads, '[]'));
END $$;
COMMENT ON FUNCTION api_heads_export IS
'The next signed heads of one namespace that have not been exported, up to 1000; before that notes that those of namespace have been, up to the number through, if the request says so.';
