CREATE OR REPLACE FUNCTION api_billing_windows(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN fn_billing_page(p_credential, p_request, p_request ->> 'status', fn_page_limit(p_request));
END $$;
COMMENT ON FUNCTION api_billing_windows IS 'GET /v1/billing/windows: by account and resource, newest first; from inclusive and to exclusive on the window''s end.';
