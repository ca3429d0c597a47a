CREATE OR REPLACE FUNCTION api_billing_export(p_credential jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  c_most CONSTANT int := 1000;
  v_page jsonb := fn_billing_page(p_credential, p_request, coalesce(p_request ->> 'status', 'closed'), c_most);
BEGIN
  RETURN jsonb_build_object('next_cursor', v_page -> 'next_cursor', 'rows', coalesce((
    SELECT jsonb_agg(CASE WHEN p_request ->> 'format' = 'jsonl' THEN jsonb_build_array(i::text) ELSE jsonb_build_array(
        i ->> 'entitlement_id', i ->> 'account_id', i ->> 'resource', i ->> 'scope', i #>> '{window,type}', i #>> '{window,start}', i #>> '{window,end}',
        i ->> 'status', i ->> 'included_quantity', i ->> 'overage_quantity', i ->> 'excess_quantity', i ->> 'overage_multiplier',
        i ->> 'billable_quantity', i ->> 'billable_amount', i ->> 'closed_at') END ORDER BY n)
    FROM jsonb_array_elements(v_page -> 'data') WITH ORDINALITY p (i, n)
  ), '[]'));
END $$;
COMMENT ON FUNCTION api_billing_export IS
'A page of GET /v1/billing/export: {rows, next_cursor}, a row as texts, so that sums keep all their digits: the cells in the order of the columns, or of the format jsonl the item. Closed windows unless told otherwise.';
