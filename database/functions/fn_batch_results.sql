CREATE OR REPLACE FUNCTION fn_batch_results(p_items usage_item[], p_entries jsonb) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT coalesce(json_agg(json_build_object(
        'index', coalesce(i.index, i.n - 1),
        'status', i.status,
        'entry', CASE WHEN i.status IN ('recorded', 'duplicate') THEN row_to_json(fn_entry_shown(l, i.account, d.metadata)) END,
        'error', CASE
          WHEN i.status = 'invalid' THEN i.error - 'status'
            || jsonb_build_object('type', CASE i.error ->> 'status' WHEN '409' THEN 'conflict' ELSE 'invalid_request' END)
          WHEN i.status = 'conflict' THEN jsonb_build_object('type', 'conflict', 'code', 'idempotency_conflict',
            'message', 'this idempotency_key was used for a different request: a new request needs a new key', 'param', 'idempotency_key') END)
      ORDER BY i.n), '[]')
    FROM (
      -- The twin of an entry that was refused after all is refused like it, not a duplicate of nothing.
      SELECT i.n, i.entry_id, i.index, i.account,
        CASE WHEN i.status = 'duplicate' AND first_value(i.status) OVER twins = 'invalid' THEN 'invalid' ELSE i.status END AS status,
        CASE WHEN i.status = 'duplicate' THEN first_value(i.error) OVER twins ELSE i.error END AS error
      FROM ROWS FROM (unnest(p_items), jsonb_to_recordset(p_entries) AS (index int, account_id text)) AS i (
        n, idempotency_key, request_hash, account_id, resource_type_code, resource_scope, quantity, unit_code, original_quantity, original_unit_code,
        occurred_at, counted_at, is_late, metadata, entry_id, limit_kind_code, included_quantity, overage_quantity, excess_quantity, status, error,
        index, account)
      WINDOW twins AS (PARTITION BY i.entry_id ORDER BY i.n)
    ) i
    LEFT JOIN consumption_ledger l ON l.entry_id = i.entry_id AND i.status IN ('recorded', 'duplicate')
    LEFT JOIN ledger_details d ON d.entry_id = l.entry_id AND l.details_hash IS NOT NULL
  );
END $$;
COMMENT ON FUNCTION fn_batch_results IS 'What became of each entry of a batch, as answers show it.';
